// LoadedPlugin: one configured plugin, in this process or in a worker, behind the core's Filter, Objective and Weigher.
// It turns a Query into the call of plugin.h, keeps the plugin's results in buffers of its own until they were copied
// and checked, and refuses what is not finite, too short or out of range: then the rule fails with an Error that names
// plugin, rule and why. So it does at once, without a call, while the plugin is set aside or its worker is started.
//
// Threads: any; see ObservedPictures for who waits when.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "service/core/decide/rules.h"
#include "service/plugins/loading.h"
#include "service/plugins/observed.h"
#include "service/plugins/remote.h"
#include "service/plugins/timing.h"

namespace emplace {

using Tick = std::function<std::int64_t()>;  // monotonic, microseconds, the clock of emplace_call.deadline_us

class LoadedPlugin {
 public:
  struct Order {
    LoadOrder load;
    std::int64_t deadline_us = 0;
    Tick tick;
  };
  // Into this process: try it out first (loading.h).
  static Result<std::shared_ptr<LoadedPlugin>> load(Order order);
  // Into a worker. One that can't be started now is tried again and again: state() says so.
  static Result<std::shared_ptr<LoadedPlugin>> isolate(Order order, const WorkerSettings& settings);
  ~LoadedPlugin();
  LoadedPlugin(const LoadedPlugin&) = delete;
  LoadedPlugin& operator=(const LoadedPlugin&) = delete;

  const Manifest& manifest() const { return order_.load.manifest; }
  const std::string& configuration() const { return order_.load.configuration; }
  const LibraryFile& library() const { return *order_.load.library; }
  const PluginInstance& instance() const { return *instance_; }

  // Runs `use(const emplace_call&)` -> Result<void>, timed. `rows`: the candidates.
  template <typename Use>
  Result<void> call(CallCounts& counts, const Query& query, std::span<const std::uint32_t> rows, Use&& use) {
    if (const auto ready = check_ready(); !ready) return ready;
    const auto request = tables_of(layout_, query);
    return pictures_.with(query.picture, [&](const emplace_view& view) -> Result<void> {
      const std::uint64_t losses = remote_ ? remote_->losses() : 0;
      const std::int64_t start_us = order_.tick();
      Result<void> done = use(call_of(view, *request, query, rows, start_us + order_.deadline_us));
      note(counts, order_.tick() - start_us, !done, remote_ && remote_->losses() != losses);
      return done;
    });
  }
  Result<void> observe(const Picture& picture);

  bool quarantined() const { return breaker_.quarantined(order_.tick()); }
  const Worker* worker() const { return remote_ ? &remote_->worker() : nullptr; }  // null: in this process
  std::int64_t deadline_us() const { return order_.deadline_us; }
  std::uint64_t observations() const { return pictures_.observations(); }

 private:
  struct Layout {
    TableLayout tables;
    std::vector<TableLayout::Place> observed;
  };
  static Result<Layout> layout_of(const Manifest& manifest);
  // Exactly one of the two is there.
  LoadedPlugin(Order order, Layout layout, std::unique_ptr<PluginInstance> instance, const WorkerSettings* settings,
               std::shared_ptr<Arena> annex);
  std::unique_ptr<RemotePlugin> make_remote(const WorkerSettings& settings, std::shared_ptr<Arena> annex);
  const emplace_observer* observer() const;
  static emplace_call call_of(const emplace_view& view, const RequestTables& request, const Query& query,
                              std::span<const std::uint32_t> rows, std::int64_t deadline_us);
  Result<void> check_ready() const;
  void note(CallCounts& counts, std::int64_t took_us, bool failed, bool lost);
  Error quarantine_error() const;

  const Order order_;
  Breaker breaker_;
  const std::unique_ptr<RemotePlugin> remote_;      // null: in this process
  const std::unique_ptr<PluginInstance> instance_;  // outlives pictures_, which tells it to forget them
  const TableLayout layout_;
  ObservedPictures pictures_;
};

// The rules of a plugin as the core uses them. `counts` belongs to the rule.
std::shared_ptr<const Filter> make_filter(std::shared_ptr<LoadedPlugin> plugin, const ManifestRule& rule,
                                          std::shared_ptr<CallCounts> counts);
std::shared_ptr<const Objective> make_objective(std::shared_ptr<LoadedPlugin> plugin, const ManifestRule& rule,
                                                std::shared_ptr<CallCounts> counts);
std::shared_ptr<const Weigher> make_weigher(std::shared_ptr<LoadedPlugin> plugin, const ManifestRule& rule,
                                            std::shared_ptr<CallCounts> counts);
// Of a plugin whose manifest has one.
std::shared_ptr<const Consumer> make_consumer(std::shared_ptr<LoadedPlugin> plugin, std::shared_ptr<CallCounts> counts);

}  // namespace emplace
