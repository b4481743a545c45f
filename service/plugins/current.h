// CurrentPlugins: the plugins that new decisions use. A reload puts others in their place as a whole; decisions under
// way hold on to the rules that they began with.
//
// Threads: any; a short lock.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "service/plugins/plugins.h"

namespace emplace {

class CurrentPlugins {
 public:
  explicit CurrentPlugins(Plugins first) : plugins_(std::make_shared<const Plugins>(std::move(first))) {}

  std::shared_ptr<const Plugins> get() const {
    const std::lock_guard lock(mutex_);
    return plugins_;
  }
  void put(Plugins next) {
    auto plugins = std::make_shared<const Plugins>(std::move(next));
    {
      const std::lock_guard lock(mutex_);
      plugins_.swap(plugins);
    }
    // The old ones end here, where nobody waits for the lock, unless a decision still uses them.
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Plugins> plugins_;  // guarded by mutex_
};

}  // namespace emplace
