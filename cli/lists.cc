#include "cli/lists.h"

#include <fmt/format.h>

namespace emplace::cli {
namespace {

// The service's name of what it sorts by.
std::string sorted_by(const std::string& sort) {
  if (sort == "time") return "made_at";
  return sort == "-time" ? "-made_at" : sort;
}

}  // namespace

std::string list_target(const std::string& collection, const ListOptions& options) {
  std::string target = "/v1/" + collection + "?limit=1000";
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) target += fmt::format("&{}={}", name, percent_encode(value));
  };
  add("host", options.host);
  add("group", options.group);
  add("project", options.project);
  add("state", options.state);
  add("name_prefix", options.name_prefix);
  add("sort", sorted_by(options.sort));
  return target;
}

bool print_as_json(const Session& session, const std::string& name, const std::vector<Json>& entries) {
  if (!session.json) return false;
  JsonWriter writer;
  writer.begin_object().key(name).begin_array();
  for (const Json& entry : entries) writer.value(entry);
  fmt::print("{}\n", writer.end_array().end_object().take());
  return true;
}

}  // namespace emplace::cli
