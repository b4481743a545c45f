// LocalTable: a small table that the host makes itself (of a request, of a configuration), in the layout of plugin.h:
// one chunk a column, values owned here. Columns are filled one after the other, row by row, then sealed.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/plugin/emplace/plugin.h"

namespace emplace {

class LocalTable {
 public:
  // `name`, and the texts of columns, must outlive the table.
  explicit LocalTable(const char* name) : name_(name) {}
  LocalTable(const LocalTable&) = delete;
  LocalTable& operator=(const LocalTable&) = delete;

  void add_column(const char* name, std::uint32_t type, const char* unit = "", const char* refers_to = nullptr);
  // The next row of the column added last.
  template <typename T>
  void add(std::optional<T> value, std::int64_t observed_at_us = 0) {
    Values& column = values_.back();
    const T stored = value.value_or(T{});
    append(column, &stored, sizeof stored);
    end_row(column, value.has_value(), observed_at_us);
  }
  void add_text(std::optional<std::string_view> value);

  // Completes the table; nothing may be added after it. Valid as long as this object.
  const emplace_table& seal();

 private:
  struct Values {
    emplace_column column{};
    std::vector<std::uint64_t> bytes;  // words, so that all types are aligned
    std::size_t used = 0;              // bytes of them
    std::vector<std::uint8_t> validity;
    std::vector<std::uint32_t> offsets;
    std::vector<std::int64_t> observed_at;  // empty: no row has a time
    std::uint32_t rows = 0;
  };
  static void append(Values& column, const void* value, std::size_t size);
  static void end_row(Values& column, bool valid, std::int64_t observed_at_us);

  const char* name_;
  std::vector<Values> values_;
  std::vector<emplace_chunk> chunks_;
  std::vector<emplace_column> columns_;
  emplace_table table_{};
};

}  // namespace emplace
