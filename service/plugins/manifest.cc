#include "service/plugins/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "service/core/json/json.h"
#include "service/plugins/configuration.h"
#include "service/plugins/tables.h"

namespace emplace {
namespace {

constexpr std::size_t kLongestManifest = 1 << 20;  // of the ones that ship, the longest has 20 KiB
constexpr std::string_view kPrefix = "lib";
constexpr std::string_view kOwnPrefix = "emplace_";

std::optional<CostClass> parse_cost_class(std::string_view word) {
  if (word == "cheap") return CostClass::kCheap;
  if (word == "medium") return CostClass::kMedium;
  if (word == "expensive") return CostClass::kExpensive;
  return std::nullopt;
}

void check_columns(const std::vector<std::string>& columns, const std::string& path, JsonErrors& errors) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto layout = TableLayout::make(std::span(&columns[i], 1));
    if (!layout) errors.add(fmt::format("{}[{}]: {}", path, i, layout.error().message));
  }
}

ManifestRule read_rule(JsonFields& fields, JsonErrors& errors) {
  ManifestRule rule;
  for (const char* key : {"id", "description", "cost_class", "columns"}) fields.require(key);
  fields.name("id", rule.id);
  fields.text("description", rule.description);
  fields.choice("cost_class", rule.cost_class, "cheap, medium, expensive", parse_cost_class);
  fields.names("columns", rule.columns);
  fields.names("reads", rule.reads);
  check_columns(rule.columns, fields.path_of("columns"), errors);
  return rule;
}

ManifestRule read_objective(JsonFields& fields, JsonErrors& errors) {
  ManifestRule rule = read_rule(fields, errors);
  for (const char* key : {"unit", "resolution"}) fields.require(key);
  fields.text("unit", rule.unit);
  fields.number("resolution", rule.resolution, {1e-9, 1e12});
  fields.number("weight", rule.weight, {0, 1e6});
  return rule;
}

ManifestRule read_weigher(JsonFields& fields, JsonErrors& errors) {
  ManifestRule rule = read_rule(fields, errors);
  fields.number("multiplier", rule.multiplier, {-1e12, 1e12});
  return rule;
}

using ReadRule = ManifestRule (*)(JsonFields&, JsonErrors&);

std::vector<ManifestRule> read_rules(JsonFields& manifest, std::string_view key, JsonErrors& errors, ReadRule read) {
  std::vector<ManifestRule> rules;
  manifest.each(key, [&](JsonValue item, const std::string& path) {
    JsonFields fields(item, path, errors);
    rules.push_back(read(fields, errors));
    fields.refuse_unknown();
  });
  return rules;
}

void read_abi(JsonFields& manifest, JsonErrors& errors, Manifest& out) {
  manifest.require("abi");
  JsonFields abi(manifest.value("abi"), "abi", errors);
  for (const char* key : {"major", "minor"}) abi.require(key);
  abi.whole("major", out.abi_major);
  abi.whole("minor", out.abi_minor);
  abi.refuse_unknown();
}

// A part that says nothing but which columns it reads. Whether the manifest has it.
bool read_part(JsonFields& manifest, const char* name, JsonErrors& errors, std::vector<std::string>& columns) {
  const bool has = manifest.has(name);
  const auto value = manifest.value(name);
  if (!has) return false;
  JsonFields part(value, name, errors);
  part.require("columns");
  part.names("columns", columns);
  part.refuse_unknown();
  check_columns(columns, std::string(name) + ".columns", errors);
  return true;
}

void check_observed(const std::vector<std::string>& columns, JsonErrors& errors) {
  for (const std::string& column : columns) {
    if (column.starts_with("request"))
      errors.add("observer.columns: wanted columns of the picture, found \"" + column + '"');
  }
}

void check_rules(const Manifest& manifest, JsonErrors& errors) {
  std::set<std::string> seen;
  for (const auto* rules : {&manifest.filters, &manifest.objectives, &manifest.weighers}) {
    for (const ManifestRule& rule : *rules) {
      if (!seen.insert(rule.id).second) errors.add(fmt::format("wanted each rule once, found \"{}\" twice", rule.id));
      if (rule.description.empty()) errors.add(fmt::format("{}: wanted a description, found none", rule.id));
    }
  }
  if (seen.empty()) errors.add("wanted at least one of filters, objectives, weighers, found none");
}

// A pipe or a device would keep its reader waiting, or never end.
tl::unexpected<Error> unreadable(const std::filesystem::path& file) {
  return fail(ErrorCode::kInvalid, file.string() + ": wanted a plugin's manifest, found no file that can be read");
}

tl::unexpected<Error> in_file(const std::filesystem::path& file, const Error& error) {
  return fail(error.code, file.string() + ": " + error.message);
}

}  // namespace

std::vector<std::string> Manifest::columns() const {
  std::vector<std::string> all;
  const auto add = [&](const std::vector<std::string>& more) {
    for (const std::string& column : more) {
      if (std::ranges::find(all, column) == all.end()) all.push_back(column);
    }
  };
  for (const auto* rules : {&filters, &objectives, &weighers}) {
    for (const ManifestRule& rule : *rules) add(rule.columns);
  }
  add(observed_columns);
  add(consumer_columns);
  return all;
}

std::filesystem::path manifest_path(const std::filesystem::path& library) {
  std::string stem = library.stem().string();
  if (stem.starts_with(kPrefix)) stem.erase(0, kPrefix.size());
  if (stem.starts_with(kOwnPrefix)) stem.erase(0, kOwnPrefix.size());
  return library.parent_path() / (stem + ".json");
}

std::filesystem::path library_path(const std::filesystem::path& manifest) {
  const std::string stem = manifest.stem().string();
  const auto own = manifest.parent_path() / fmt::format("libemplace_{}.so", stem);
  std::error_code ignored;
  return std::filesystem::exists(own, ignored) ? own : manifest.parent_path() / fmt::format("lib{}.so", stem);
}

Result<Manifest> parse_manifest(std::string_view json, const std::filesystem::path& file) {
  auto document = JsonDocument::parse(json, "manifest");
  if (!document) return in_file(file, document.error());
  Manifest out;
  out.file = file;
  JsonErrors errors;
  JsonFields fields(document->root(), "", errors);
  for (const char* key : {"id", "version", "licence", "description"}) fields.require(key);
  fields.name("id", out.id);
  fields.name("version", out.version);
  fields.name("licence", out.licence);
  fields.text("description", out.description);
  read_abi(fields, errors, out);
  fields.flag("reentrant", out.reentrant);
  out.filters = read_rules(fields, "filters", errors, read_rule);
  out.objectives = read_rules(fields, "objectives", errors, read_objective);
  out.weighers = read_rules(fields, "weighers", errors, read_weigher);
  out.has_observer = read_part(fields, "observer", errors, out.observed_columns);
  check_observed(out.observed_columns, errors);
  out.has_consumer = read_part(fields, "consumer", errors, out.consumer_columns);
  if (const auto schema = fields.value("configuration")) out.configuration_schema = to_json(*schema);
  fields.refuse_unknown();
  check_rules(out, errors);
  if (!errors.none()) return in_file(file, errors.failure().value());
  if (const auto checked = check_schema(out); !checked) return tl::unexpected(checked.error());
  return out;
}

Result<Manifest> read_manifest(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return unreadable(file);
  std::ifstream in(file, std::ios::binary);
  if (!in) return unreadable(file);
  std::string text(kLongestManifest + 1, 0);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kLongestManifest) {
    return fail(ErrorCode::kInvalid,
                fmt::format("{}: wanted a plugin's manifest of at most {} bytes, found {}", file.string(),
                            kLongestManifest, std::filesystem::file_size(file, ignored)));
  }
  return parse_manifest(text, file);
}

}  // namespace emplace
