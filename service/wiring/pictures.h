// PicturePart: the picture, as the store has it and its events change it, and its history.
#pragma once

#include <memory>
#include <optional>

#include "service/configuration/config.h"
#include "service/observe/observer.h"
#include "service/store/postgres_store.h"
#include "service/wiring/plugins.h"

namespace emplace {

class PicturePart {
 public:
  // Loads the whole state. All of the arguments outlive it.
  static Result<std::unique_ptr<PicturePart>> open(const Config& config, std::shared_ptr<Arena> arena,
                                                   PostgresStore& store, PluginPart& plugins);

  observe::Observer& observer() { return observer_; }

 private:
  PicturePart(const Config& config, std::shared_ptr<Arena> arena, std::unique_ptr<observe::History> history,
              PostgresStore& store, PluginPart& plugins);
  Result<std::int64_t> load();
  void follow(std::int64_t after);
  // The events that would lead from the picture to what the database has are gone, or never were: see EventTail.
  std::optional<std::int64_t> load_anew(EventTail::Loss loss);

  PostgresStore& store_;
  PluginPart& plugins_;
  observe::Observer observer_;
  std::unique_ptr<EventTail> tail_;
};

}  // namespace emplace
