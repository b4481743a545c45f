// Lists of the service, filtered and sorted there, and what a person or a program is shown of them.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

namespace emplace::cli {

// What a list is to show. Empty: everything, in the list's own order.
struct ListOptions {
  std::string host, group, project, state, name_prefix;
  std::string sort;  // "name" or "time", with a '-' before it: descending
};

// The path of a list's first page.
std::string list_target(const std::string& collection, const ListOptions& options);

// With --json: prints {"NAME": [...]} and is true.
bool print_as_json(const Session& session, const std::string& name, const std::vector<Json>& entries);

}  // namespace emplace::cli
