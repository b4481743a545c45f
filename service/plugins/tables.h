// The tables that plugins see, as plugin.h describes them: of a picture (PictureTables) and of one request
// (RequestTables). Both hold the columns that a manifest names and no others; they point into the picture's chunks, so
// nothing of a picture is copied. A TableLayout is made once per plugin.
//
// Threads: layouts and tables never change once made.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/plugin/emplace/plugin.h"
#include "service/core/decide/query.h"
#include "service/core/picture/picture.h"
#include "service/plugins/local_table.h"

namespace emplace {

// Which columns of which tables, in the order in which the plugin gets them.
class TableLayout {
 public:
  struct PictureTable {
    Table table;
    std::vector<int> columns;  // as in schema.h
  };
  struct RequestTable {
    int table;  // as in request_schema.h
    std::vector<int> columns;
  };
  struct Place {  // of a column of the picture, in a view
    std::uint32_t table;
    std::uint32_t column;
    int schema_column;
  };

  // "table.column" each; kInvalid for the first that neither the picture nor the request has.
  static Result<TableLayout> make(std::span<const std::string> columns);

  const std::vector<PictureTable>& picture() const { return picture_; }
  const std::vector<RequestTable>& request() const { return request_; }
  // kInvalid for a column that the layout does not hold.
  Result<Place> place_of(std::string_view column) const;

 private:
  Result<void> add(std::string_view name);
  std::vector<PictureTable> picture_;
  std::vector<RequestTable> request_;
};

// A picture as a view, and the picture itself, which it keeps alive.
class PictureTables {
 public:
  PictureTables(const TableLayout& layout, std::shared_ptr<const Picture> picture, std::uint64_t identity);
  PictureTables(const PictureTables&) = delete;
  PictureTables& operator=(const PictureTables&) = delete;

  const emplace_view& view() const { return view_; }
  const Picture& picture() const { return *picture_; }

 private:
  emplace_column column(int index, std::uint32_t rows);

  std::shared_ptr<const Picture> picture_;
  std::deque<std::vector<emplace_chunk>> chunks_;
  std::deque<std::vector<emplace_column>> columns_;
  std::vector<emplace_table> tables_;
  emplace_view view_{};
};

// The tables of one request. Work: in proportion to the request, its peers and its data, not to the cluster; most of
// the time of a rule that looks at a thousand hosts, so the rules of a plugin share them (tables_of).
class RequestTables {
 public:
  RequestTables(const TableLayout& layout, const Query& query);
  RequestTables(const RequestTables&) = delete;
  RequestTables& operator=(const RequestTables&) = delete;

  std::span<const emplace_table> tables() const { return tables_; }

 private:
  std::vector<std::unique_ptr<LocalTable>> locals_;
  std::vector<emplace_table> tables_;
};

// Those that this thread made last, when they were for the same layout and query.
std::shared_ptr<const RequestTables> tables_of(const TableLayout& layout, const Query& query);

}  // namespace emplace
