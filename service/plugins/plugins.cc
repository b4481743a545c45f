#include "service/plugins/plugins.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "service/plugins/configuration.h"

namespace emplace {
namespace {

constexpr std::int64_t kLongestDeadlineMs = 60'000;

Result<void> check_choice(const PluginChoice& choice) {
  if (choice.isolation != "in-process") {
    return fail(ErrorCode::kInvalid, fmt::format("plugin {}: isolation: wanted \"in-process\", found \"{}\"",
                                                 choice.path, choice.isolation));
  }
  if (choice.deadline_ms < 1 || choice.deadline_ms > kLongestDeadlineMs) {
    return fail(ErrorCode::kInvalid, fmt::format("plugin {}: deadline_ms: wanted 1 to {}, found {}", choice.path,
                                                 kLongestDeadlineMs, choice.deadline_ms));
  }
  return {};
}

// A relative path may not leave the plugin directory.
Result<std::filesystem::path> find_library(const PluginSettings& settings, const std::string& name) {
  const std::filesystem::path path(name);
  if (path.is_relative() && path.has_parent_path()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("plugin {}: path: wanted a file name in {} or an absolute path, found \"{}\"", name,
                            settings.directory.string(), name));
  }
  const auto library = path.is_absolute() ? path : settings.directory / path;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(library, ignored)) {
    return fail(ErrorCode::kInvalid,
                fmt::format("plugin {}: path: wanted a shared object, found no file {}", name, library.string()));
  }
  return library;
}

Result<std::shared_ptr<LoadedPlugin>> load_one(const PluginSettings& settings, const PluginChoice& choice) {
  auto checked = check_plugin(settings, choice);
  if (!checked) return tl::unexpected(checked.error());
  const auto probed = probe(settings.prober, checked->manifest, checked->configuration);
  if (!probed) return tl::unexpected(probed.error());
  return LoadedPlugin::load(checked->manifest, std::move(checked->configuration), choice.deadline_ms * 1000,
                            settings.tick);
}

}  // namespace

Tick monotonic_tick() {
  return [] {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  };
}

Result<CheckedPlugin> check_plugin(const PluginSettings& settings, const PluginChoice& choice) {
  if (const auto checked = check_choice(choice); !checked) return tl::unexpected(checked.error());
  const auto library = find_library(settings, choice.path);
  if (!library) return tl::unexpected(library.error());
  auto manifest = read_manifest(manifest_path(*library));
  if (!manifest) return tl::unexpected(manifest.error());
  manifest->library = *library;
  auto configuration = complete_configuration(*manifest, choice.config);
  if (!configuration) return tl::unexpected(configuration.error());
  return CheckedPlugin{std::move(*manifest), std::move(*configuration)};
}

Result<Plugins> Plugins::load(const PluginSettings& settings, std::span<const PluginChoice> choices) {
  Plugins plugins;
  for (const PluginChoice& choice : choices) {
    auto plugin = load_one(settings, choice);
    if (!plugin) return tl::unexpected(plugin.error());
    plugins.entries_.push_back(make_entry(std::move(*plugin)));
  }
  if (const auto unique = plugins.add_to({}); !unique) return tl::unexpected(unique.error());
  return plugins;
}

Plugins::Entry Plugins::make_entry(std::shared_ptr<LoadedPlugin> plugin) {
  Entry entry{std::move(plugin), {}};
  const auto add = [&](const char* kind, const std::vector<ManifestRule>& rules) {
    for (const ManifestRule& rule : rules) entry.rules.push_back({kind, &rule, std::make_shared<CallCounts>()});
  };
  const Manifest& manifest = entry.plugin->manifest();
  add("filter", manifest.filters);
  add("objective", manifest.objectives);
  add("weigher", manifest.weighers);
  return entry;
}

void Plugins::add_rule(const Entry& entry, const Rule& rule, Catalogue& catalogue) {
  if (rule.kind == "filter") catalogue.filters.push_back(make_filter(entry.plugin, *rule.rule, rule.counts));
  if (rule.kind == "objective") catalogue.objectives.push_back(make_objective(entry.plugin, *rule.rule, rule.counts));
  if (rule.kind == "weigher") catalogue.weighers.push_back(make_weigher(entry.plugin, *rule.rule, rule.counts));
}

Result<Catalogue> Plugins::add_to(Catalogue catalogue) const {
  std::set<std::string> taken;
  const auto take = [&](const auto& rules) {
    for (const auto& rule : rules) taken.insert(rule->traits().id);
  };
  take(catalogue.filters), take(catalogue.objectives), take(catalogue.weighers);
  for (const Entry& entry : entries_) {
    for (const Rule& rule : entry.rules) {
      if (!taken.insert(rule.rule->id).second) {
        return fail(ErrorCode::kInvalid, fmt::format("plugin {} ({}): wanted rules that nobody else has, found {} {}",
                                                     entry.plugin->manifest().id,
                                                     entry.plugin->manifest().file.string(), rule.kind, rule.rule->id));
      }
      add_rule(entry, rule, catalogue);
    }
  }
  return catalogue;
}

std::vector<PluginStatus> Plugins::status() const {
  std::vector<PluginStatus> all;
  for (const auto& [plugin, rules] : entries_) {
    const Manifest& manifest = plugin->manifest();
    PluginStatus status{manifest.id,
                        manifest.version,
                        manifest.description,
                        manifest.licence,
                        manifest.library.string(),
                        "in-process",
                        plugin->quarantined() ? "quarantined" : "active",
                        plugin->configuration(),
                        plugin->deadline_us() / 1000,
                        plugin->observations(),
                        {}};
    for (const Rule& rule : rules) status.rules.push_back({rule.kind, rule.rule->id, rule.counts->totals()});
    all.push_back(std::move(status));
  }
  return all;
}

void Plugins::observe(const Picture& picture) const {
  for (const Entry& entry : entries_) static_cast<void>(entry.plugin->observe(picture));
}

std::vector<ListedPlugin> list_plugins(const std::filesystem::path& directory) {
  std::vector<ListedPlugin> listed;
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(directory, ignored)) {
    if (file.path().extension() != ".json") continue;
    auto manifest = read_manifest(file.path());
    if (manifest) manifest->library = library_path(file.path());
    listed.push_back({file.path(), std::move(manifest)});
  }
  std::ranges::sort(listed, {}, &ListedPlugin::file);
  return listed;
}

}  // namespace emplace
