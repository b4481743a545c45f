// PluginPart: the plugins and the profiles, of the configuration and of the store, as the rule book that decisions are
// made by.
//
// Threads: any. All but reload_on() and take_profiles() wait for the store.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "service/configuration/config.h"
#include "service/core/decide/rule_book.h"
#include "service/core/doors/store.h"
#include "service/core/picture/arena.h"
#include "service/plugins/current.h"
#include "service/rest/line_pool.h"

namespace emplace {

class PluginPart {
 public:
  // Loads the plugins; `arena` is that of the pictures, which workers map. The rule book is empty until fill().
  static Result<std::unique_ptr<PluginPart>> load(const Config& config, std::shared_ptr<Arena> arena);

  // All rules and profiles, with those that were changed over REST.
  Result<void> fill(Store& store, Deadline deadline);
  // The profiles of the store once more: those of the picture's events may have been missed.
  Result<void> take_stored_profiles(Store& store, Deadline deadline);
  // Profiles that were changed over REST, on whichever replica.
  void take_profiles(std::span<const Event> events);
  // Takes the plugins and profiles of the configuration file as it is then, on a thread of `lines`, and says in the log
  // how it went. A fault in either changes nothing. One reload runs and one waits at most, since the one that waits
  // reads what the file says when its turn has come.
  void reload_on(http::LinePool& lines, Store& store);

  RuleBook& rule_book() { return rule_book_; }
  std::shared_ptr<const Plugins> current() const { return plugins_.get(); }

 private:
  PluginPart(const Config& config, PluginSettings settings, Plugins plugins);
  Result<void> fill_with(const Config& config, const Plugins& plugins, Store& store, Deadline deadline);
  void reload(Store& store);
  Result<void> take(const Config& config, Store& store, Deadline deadline);

  const PluginSettings settings_;
  CurrentPlugins plugins_;
  RuleBook rule_book_{Catalogue{}};
  std::atomic<bool> reload_waits_{false};
  std::mutex mutex_;  // one reload at a time
  Config config_;     // guarded by mutex_: of the profiles that the rule book has
};

}  // namespace emplace
