// Plugins: the shared objects of one configuration, checked, tried out in a child process and loaded, with their rules
// for the catalogue and what is known of how they behave. A plugin that can't be loaded is an Error; nothing is half
// loaded.
//
//   const auto plugins = Plugins::load(settings, choices);         // once per configuration
//   const auto catalogue = plugins->add_to(built_in_rules());
//
// A reload makes a new Plugins beside the old one; instances go when the last decision that uses them is over, their
// code stays in the process.
//
// Threads: load() starts and waits for one child per plugin. All else may be called by any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "service/core/result.h"
#include "service/core/rules.h"
#include "service/plugins/loaded_plugin.h"
#include "service/plugins/probe.h"

namespace emplace {

struct PluginChoice {
  std::string path;  // a file name in the plugin directory, or an absolute path; of the library
  std::string isolation = "in-process";
  std::int64_t deadline_ms = 20;
  std::string config = "{}";  // JSON object
};

Tick monotonic_tick();

struct PluginSettings {
  std::filesystem::path directory;
  Prober prober;
  Tick tick = monotonic_tick();
};

struct RuleStatus {
  std::string kind;  // "filter", "objective", "weigher"
  std::string id;
  CallCounts::Totals counts;
};

struct PluginStatus {
  std::string id, version, description, licence;
  std::string library;
  std::string isolation;
  std::string state;          // "active", "quarantined"
  std::string configuration;  // JSON, complete
  std::int64_t deadline_ms = 0;
  std::uint64_t observations = 0;  // pictures shown to its observer
  std::vector<RuleStatus> rules;
};

class Plugins {
 public:
  // kInvalid naming the plugin, what was wanted and what was found.
  static Result<Plugins> load(const PluginSettings& settings, std::span<const PluginChoice> choices);

  // `catalogue` with the rules of all plugins. kInvalid for a rule that is there twice.
  Result<Catalogue> add_to(Catalogue catalogue) const;
  std::vector<PluginStatus> status() const;
  // Shows a picture to all observers, so that no request has to wait for that. Failures show up in the requests
  // themselves.
  void observe(const Picture& picture) const;

 private:
  struct Rule {
    std::string kind;
    const ManifestRule* rule;  // of the plugin's manifest
    std::shared_ptr<CallCounts> counts;
  };
  struct Entry {
    std::shared_ptr<LoadedPlugin> plugin;
    std::vector<Rule> rules;
  };
  static Entry make_entry(std::shared_ptr<LoadedPlugin> plugin);
  static void add_rule(const Entry& entry, const Rule& rule, Catalogue& catalogue);

  std::vector<Entry> entries_;
};

// The manifests in a directory, by file name, without loading anything: `emplace plugin list`.
struct ListedPlugin {
  std::filesystem::path file;
  Result<Manifest> manifest;
};
std::vector<ListedPlugin> list_plugins(const std::filesystem::path& directory);

// Manifest and configuration of a choice, checked; nothing is loaded. For emplaced --check-config.
struct CheckedPlugin {
  Manifest manifest;
  std::string configuration;
};
Result<CheckedPlugin> check_plugin(const PluginSettings& settings, const PluginChoice& choice);

}  // namespace emplace
