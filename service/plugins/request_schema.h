// The columns of a request's tables, beside those of the picture: what plugin.h promises in emplace_call. A new column
// goes at the end of its table in request_schema.cc; names, units and types never change.
#pragma once

#include <optional>
#include <string_view>

#include "service/core/decide/query.h"
#include "service/plugins/local_table.h"

namespace emplace {

struct RequestColumn {
  int table;
  int column;
};

std::optional<RequestColumn> find_request_column(std::string_view table, std::string_view column);
const char* request_table_name(int table);
// Adds the column, with its rows for this request.
void fill_request_column(int table, int column, const Query& query, LocalTable& local);

}  // namespace emplace
