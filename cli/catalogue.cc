#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/commands.h"
#include "cli/numbers.h"
#include "service/process/program.h"

namespace emplace::cli {

void list_groups(Session& session) {
  const std::vector<Json> groups = list_all(session.client(), "/v1/groups?limit=1000", "groups");
  if (print_as_json(session, "groups", groups)) return;
  Table table({"GROUP", "POLICY", "PER HOST>", "MEMBERS>"});
  for (const Json& group : groups) {
    const Json members = group["members"];
    table.row({group["name"].text(), group["policy"].text(), group["max_per_host"].text(),
               members.is_array() ? std::to_string(members.size()) : members.text()});
  }
  table.print();
}

void put_group(Session& session, const GroupOptions& options) {
  JsonWriter body;
  body.begin_object().field("policy", options.policy);
  if (options.max_per_host) body.field("max_per_host", whole_number("--max-per-host", *options.max_per_host, 1));
  const Json group = session.client().ask(
      {.method = "PUT", .target = path_of("groups", options.name), .body = body.end_object().take()});
  if (session.json) return print_json(group);
  fmt::print("group {} is {}\n", printable(options.name), group["policy"].text());
}

void delete_group(Session& session, const std::string& name) {
  session.client().ask({.method = "DELETE", .target = path_of("groups", name)});
  if (!session.json) fmt::print("group {} is deleted\n", printable(name));
}

void list_plugins(Session& session) {
  const Json answer = session.client().ask({.target = "/v1/plugins"});
  if (session.json) return print_json(answer);
  Table table({"PLUGIN", "VERSION", "STATE", "ISOLATION", "CALLS>", "MEAN US>", "RULES"});
  for (const Json& plugin : answer["plugins"].items()) {
    std::string rules;
    for (const Json& rule : plugin["rules"].items()) rules += (rules.empty() ? "" : ", ") + rule.text();
    table.row({plugin["id"].text(), plugin["version"].text(), plugin["state"].text(), plugin["isolation"].text(),
               plugin["calls"].text(), fmt::format("{:.0f}", plugin["mean_us"].number()),
               plugin["why"].is_null() ? rules : plugin["why"].text()});
  }
  table.print();
}

namespace {

std::vector<std::filesystem::path> manifests_in(const std::string& directory) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  }
  if (error) throw Failure(kBadInput, fmt::format("can't read {}: {}", directory, error.message()));
  std::sort(paths.begin(), paths.end());
  return paths;
}

// bin/emplace, built or installed, has its plugins in ../lib.
std::string default_plugin_directory() { return (program_directory().parent_path() / "lib/emplace/plugins").string(); }

}  // namespace

// What lies in a directory, from the manifests alone: no code of a plugin runs.
void list_manifests(Session& session, const std::string& given) {
  const std::string directory = given.empty() ? default_plugin_directory() : given;
  Table table({"PLUGIN", "VERSION", "KIND", "RULE", "UNIT", "WHAT IT DOES"});
  JsonWriter all;
  all.begin_object().key("plugins").begin_array();
  for (const auto& path : manifests_in(directory)) {
    const Json manifest = Json::parse(read_file(path.string()), path.string());
    if (manifest["id"].is_null()) continue;  // a JSON file that is no manifest
    all.value(manifest);
    for (const char* kind : {"filters", "objectives", "weighers"}) {
      for (const Json& rule : manifest[kind].items()) {
        table.row({manifest["id"].text(), manifest["version"].text(), std::string(kind, std::string(kind).size() - 1),
                   rule["id"].text(), rule["unit"].string(), rule["description"].text()});
      }
    }
  }
  if (session.json) {
    fmt::print("{}\n", all.end_array().end_object().take());
  } else {
    table.print();
  }
}

void list_profiles(Session& session) {
  const Json answer = session.client().ask({.target = "/v1/profiles"});
  if (session.json) return print_json(answer);
  Table table({"PROFILE", "METHOD", "OBJECTIVES OR WEIGHERS", "FILTERS"});
  for (const Json& profile : answer["profiles"].items()) {
    std::string chosen, filters;
    for (const char* kind : {"objectives", "weighers"}) {
      for (const Json& rule : profile[kind].items()) {
        chosen += fmt::format("{}{}", chosen.empty() ? "" : ", ", rule["id"].text());
      }
    }
    for (const Json& filter : profile["filters"].items()) filters += (filters.empty() ? "" : ", ") + filter.text();
    table.row({profile["name"].text(), profile["method"].text(), chosen, filters});
  }
  table.print();
}

void show_profile(Session& session, const std::string& name) {
  print_json(session.client().ask({.target = path_of("profiles", name)}));
}

// What is left of the name is told: a profile of the configuration comes back.
void delete_profile(Session& session, const std::string& name) {
  session.client().ask({.method = "DELETE", .target = path_of("profiles", name)});
  const bool is_back = session.client().send({.target = path_of("profiles", name)}).is_ok();
  if (session.json) return;
  fmt::print("profile {} is deleted{}\n", printable(name), is_back ? "; the configuration's own is used again" : "");
}

void put_profile(Session& session, const std::string& name, const std::string& path) {
  const std::string body = read_file(path);
  Json::parse(body, path);
  const Json answer = session.client().ask({.method = "PUT", .target = path_of("profiles", name), .body = body});
  if (session.json) return print_json(answer);
  fmt::print("profile {} is stored\n", printable(name));
}

}  // namespace emplace::cli
