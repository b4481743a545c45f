// LoadedPlugin: one configured plugin in this process, behind the core's Filter, Objective and Weigher. It turns a
// Query into the call of plugin.h, keeps the plugin's results in buffers of its own until they were copied and checked,
// and refuses what is not finite, too short or out of range: then the rule fails with an Error that names plugin, rule
// and why.
//
// Threads: any; see ObservedPictures for who waits when.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "service/core/rules.h"
#include "service/plugins/observed.h"
#include "service/plugins/timing.h"

namespace emplace {

using Tick = std::function<std::int64_t()>;  // monotonic, microseconds, the clock of emplace_call.deadline_us

class LoadedPlugin {
 public:
  // Loads into this process: probe first (probe.h). `configuration` is complete.
  static Result<std::shared_ptr<LoadedPlugin>> load(const Manifest& manifest, std::string configuration,
                                                    std::int64_t deadline_us, Tick tick);

  LoadedPlugin(const Manifest& manifest, std::string configuration, std::unique_ptr<PluginInstance> instance,
               TableLayout layout, std::vector<TableLayout::Place> observed, std::int64_t deadline_us, Tick tick);

  const Manifest& manifest() const { return manifest_; }
  const std::string& configuration() const { return configuration_; }
  const PluginInstance& instance() const { return *instance_; }

  // Runs `use(const emplace_call&)` -> Result<void>, timed. `rows`: the candidates.
  template <typename Use>
  Result<void> call(CallCounts& counts, const Query& query, std::span<const std::uint32_t> rows, Use&& use) {
    if (quarantined()) return tl::unexpected(quarantine_error());
    const RequestTables request(layout_, query);
    return pictures_.with(query.picture, [&](const emplace_view& view) -> Result<void> {
      const std::int64_t start_us = tick_();
      Result<void> done = use(call_of(view, request, query, rows, start_us + deadline_us_));
      note(counts, tick_() - start_us, !done);
      return done;
    });
  }
  Result<void> observe(const Picture& picture) { return pictures_.observe(picture); }

  bool quarantined() const { return breaker_.quarantined(tick_()); }
  std::int64_t deadline_us() const { return deadline_us_; }
  std::uint64_t observations() const { return pictures_.observations(); }

 private:
  static emplace_call call_of(const emplace_view& view, const RequestTables& request, const Query& query,
                              std::span<const std::uint32_t> rows, std::int64_t deadline_us);
  void note(CallCounts& counts, std::int64_t took_us, bool failed);
  Error quarantine_error() const;

  const Manifest manifest_;
  const std::string configuration_;
  const std::unique_ptr<PluginInstance> instance_;  // outlives pictures_, which tells it to forget them
  const TableLayout layout_;
  const std::int64_t deadline_us_;
  const Tick tick_;
  Breaker breaker_;
  ObservedPictures pictures_;
};

// The rules of a plugin as the core uses them. `counts` belongs to the rule.
std::shared_ptr<const Filter> make_filter(std::shared_ptr<LoadedPlugin> plugin, const ManifestRule& rule,
                                          std::shared_ptr<CallCounts> counts);
std::shared_ptr<const Objective> make_objective(std::shared_ptr<LoadedPlugin> plugin, const ManifestRule& rule,
                                                std::shared_ptr<CallCounts> counts);
std::shared_ptr<const Weigher> make_weigher(std::shared_ptr<LoadedPlugin> plugin, const ManifestRule& rule,
                                            std::shared_ptr<CallCounts> counts);

}  // namespace emplace
