#include "service/plugins/loaded_plugin.h"

#include <fmt/format.h>

namespace emplace {

Result<std::shared_ptr<LoadedPlugin>> LoadedPlugin::load(const Manifest& manifest, std::string configuration,
                                                         std::int64_t deadline_us, Tick tick) {
  auto layout = TableLayout::make(manifest.columns());
  if (!layout) return tl::unexpected(layout.error());
  std::vector<TableLayout::Place> observed;
  for (const std::string& column : manifest.observed_columns) {
    const auto place = layout->place_of(column);
    if (!place) return tl::unexpected(place.error());
    observed.push_back(*place);
  }
  auto instance = PluginInstance::load(manifest, configuration);
  if (!instance) return tl::unexpected(instance.error());
  return std::make_shared<LoadedPlugin>(manifest, std::move(configuration), std::move(*instance), std::move(*layout),
                                        std::move(observed), deadline_us, std::move(tick));
}

LoadedPlugin::LoadedPlugin(const Manifest& manifest, std::string configuration,
                           std::unique_ptr<PluginInstance> instance, TableLayout layout,
                           std::vector<TableLayout::Place> observed, std::int64_t deadline_us, Tick tick)
    : manifest_(manifest),
      configuration_(std::move(configuration)),
      instance_(std::move(instance)),
      layout_(std::move(layout)),
      deadline_us_(deadline_us),
      tick_(std::move(tick)),
      pictures_(layout_, std::move(observed), manifest.has_observer ? &instance_->observer() : nullptr,
                manifest.reentrant) {}

emplace_call LoadedPlugin::call_of(const emplace_view& view, const RequestTables& request, const Query& query,
                                   std::span<const std::uint32_t> rows, std::int64_t deadline_us) {
  return {sizeof(emplace_call),
          static_cast<std::uint32_t>(request.tables().size()),
          &view,
          request.tables().data(),
          rows.data(),
          static_cast<std::uint32_t>(rows.size()),
          0,
          query.request.document.data(),
          query.request.document.size(),
          query.vm.nova_spec.data(),
          query.vm.nova_spec.size(),
          query.now_us,
          deadline_us};
}

void LoadedPlugin::note(CallCounts& counts, std::int64_t took_us, bool failed) {
  const bool late = took_us > deadline_us_;
  counts.add(took_us, failed, late);
  breaker_.note(late, tick_());
}

Error LoadedPlugin::quarantine_error() const {
  return {ErrorCode::kUnavailable,
          fmt::format("plugin {}: set aside after {} calls in a row over its deadline of {} ms", manifest_.id,
                      Breaker::kMisses, deadline_us_ / 1000)};
}

}  // namespace emplace
