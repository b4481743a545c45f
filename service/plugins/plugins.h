// Plugins: the shared objects of one configuration, checked, tried out and loaded, here or in workers, with their rules
// for the catalogue and what is known of how they behave. A plugin that can't be loaded here is an Error; nothing is
// half loaded. One in a worker that can't be started is there all the same, with rules that fail and say why, and is
// tried again; one whose files are not fit to be loaded in a worker is refused, and the rules that profiles name fail.
//
//   const auto plugins = Plugins::load(settings, choices);         // once per configuration
//   const auto catalogue = plugins->add_to(built_in_rules());      // whose names no plugin may take
//   const auto next = plugins->reload(settings, choices);          // beside it: what did not change is shared
//
// An instance goes when the last decision that uses it is over; code in this process stays for good.
//
// Threads: load() and reload() start and wait for children. All else may be called by any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/decide/rules.h"
#include "service/plugins/loaded_plugin.h"

namespace emplace {

struct PluginChoice {
  std::string path;            // a file name in the plugin directory, or an absolute path; of the library
  std::string isolation = {};  // "in-process", "worker"; empty: "worker" unless it lies in the plugin directory
  std::int64_t deadline_ms = 20;
  std::string config = "{}";              // JSON object
  std::string confinement = "available";  // "required": by all that a kernel can give, or it is not loaded
};

Tick monotonic_tick();

struct PluginSettings {
  std::filesystem::path directory;
  WorkerSettings worker = {};
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
  std::string state;  // "active", "quarantined", "starting" (a worker, again), "refused" (a worker: can't be started)
  std::string configuration = "{}";  // JSON, complete
  std::int64_t deadline_ms = 0;
  std::uint64_t observations = 0;  // pictures shown to its observer
  std::vector<RuleStatus> rules;
  // workers
  std::uint64_t restarts = 0;
  std::string last_error = {};
  std::vector<std::string> confinement = {};  // names (questions.h)
};

class Plugins {
 public:
  // kInvalid naming the plugin, what was wanted and what was found; also for a rule that is there twice.
  static Result<Plugins> load(const PluginSettings& settings, std::span<const PluginChoice> choices);
  // The plugins of other choices, without touching these: what has the same path, bytes, manifest, configuration and
  // settings is shared, all else is loaded beside it. Here a worker that can't be started is an Error too: what runs
  // goes on. A library that is to be replaced must be replaced by another file (mv, install), not written over.
  Result<Plugins> reload(const PluginSettings& settings, std::span<const PluginChoice> choices) const;

  // `catalogue` with the rules of all plugins but those that were refused.
  Catalogue add_to(Catalogue catalogue) const;
  // Which were refused and why, for absent_rules.h; empty: none.
  std::string refusals() const;
  std::vector<PluginStatus> status() const;
  // `options`: an object of what one call puts in place of parts of the configurations. Each key is a property of a
  // plugin's configuration and fits its schema, or kInvalid naming the key, what was wanted and what was found.
  Result<void> check_options(std::string_view options) const;
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
    std::string fingerprint;  // of all that makes it what it is
    std::shared_ptr<LoadedPlugin> plugin;
    std::vector<Rule> rules;
    std::shared_ptr<CallCounts> consumer;  // null: it has none
  };
  // A worker's plugin that can't even be tried: its rules are not known.
  struct Refused {
    std::string id;  // as its file is called
    std::filesystem::path library;
    std::string why;
  };
  Result<Entry> load_entry(const PluginSettings& settings, const PluginChoice& choice) const;
  bool has_code(const LibraryFile& library, const std::filesystem::path& path) const;
  static Entry make_entry(std::string fingerprint, std::shared_ptr<LoadedPlugin> plugin);
  static PluginStatus status_of(const Entry& entry);
  static void add_rule(const Entry& entry, const Rule& rule, Catalogue& catalogue);

  void refuse(const std::filesystem::path& library, const std::string& why);
  bool was_refused(const std::filesystem::path& library, const std::string& why) const;
  Result<void> refuse_twins();
  static Result<void> take_names(const Entry& entry, std::set<std::string>& taken);

  std::vector<Entry> entries_;
  std::vector<Refused> refused_;
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
  std::string isolation;
};
Result<CheckedPlugin> check_plugin(const PluginSettings& settings, const PluginChoice& choice);

}  // namespace emplace
