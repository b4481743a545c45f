#include "cli/check/subject.h"

#include <algorithm>

#include "service/plugins/configuration.h"

namespace emplace::check {
namespace {

std::vector<Rule> rules_of(const Manifest& manifest) {
  std::vector<Rule> rules;
  for (const auto& rule : manifest.filters) rules.push_back({Kind::kFilter, rule.id});
  for (const auto& rule : manifest.objectives) rules.push_back({Kind::kObjective, rule.id});
  for (const auto& rule : manifest.weighers) rules.push_back({Kind::kWeigher, rule.id});
  return rules;
}

// Where the observer's columns are in the views.
Result<std::vector<TableLayout::Place>> places_of(const Manifest& manifest, const TableLayout& layout) {
  std::vector<TableLayout::Place> places;
  for (const std::string& column : manifest.observed_columns) {
    const auto place = layout.place_of(column);
    if (!place) return tl::unexpected(place.error());
    places.push_back(*place);
  }
  return places;
}

}  // namespace

PluginFiles files_of(const std::filesystem::path& library_or_manifest) {
  const auto path = std::filesystem::absolute(library_or_manifest);
  if (path.extension() == ".json") return {library_path(path), path};
  return {path, manifest_path(path)};
}

Result<Subject> Subject::read(const PluginFiles& files, const std::string& configuration) {
  auto manifest = read_manifest(files.manifest);
  if (!manifest) return tl::unexpected(manifest.error());
  manifest->library = files.library;
  auto complete = complete_configuration(*manifest, configuration);
  if (!complete) return tl::unexpected(complete.error());
  auto layout = TableLayout::make(manifest->columns());
  if (!layout) return tl::unexpected(layout.error());
  auto places = places_of(*manifest, *layout);
  if (!places) return tl::unexpected(places.error());
  auto rules = rules_of(*manifest);
  return Subject{std::move(*manifest), std::move(*complete), std::move(*layout), std::move(*places), std::move(rules)};
}

Subject Subject::narrowed(const Rule& rule) const {
  std::vector<std::string> columns = manifest.observed_columns;
  for (const auto* kind : {&manifest.filters, &manifest.objectives, &manifest.weighers}) {
    const auto named = std::ranges::find(*kind, rule.id, &ManifestRule::id);
    if (named != kind->end()) columns.insert(columns.end(), named->columns.begin(), named->columns.end());
  }
  // All of them were found in the whole manifest before.
  auto narrow = TableLayout::make(columns).value();
  auto places = places_of(manifest, narrow).value();
  return {manifest, configuration, std::move(narrow), std::move(places), {rule}};
}

bool Subject::reads(std::string_view column) const {
  const auto columns = manifest.columns();
  return std::ranges::find(columns, column) != columns.end();
}

bool Subject::reads_table(std::string_view table) const {
  return std::ranges::any_of(manifest.columns(), [&](const std::string& column) {
    return column.starts_with(table) && column.size() > table.size() && column[table.size()] == '.';
  });
}

}  // namespace emplace::check
