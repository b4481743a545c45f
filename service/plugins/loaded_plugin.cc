#include "service/plugins/loaded_plugin.h"

#include <fmt/format.h>

#include <algorithm>

namespace emplace {

namespace {

// Room for pictures of other arenas: reserved, pages come with the first write.
constexpr std::uint64_t kAnnexBytes = std::uint64_t{4} << 30;

// The plugin is told its deadline; one that keeps it by giving up must get the time to say so before it is killed.
constexpr std::int64_t kHardDeadlines = 2;
// Work on a picture is not on the way of a request, as a rule: the newest is shown when it is published.
constexpr std::int64_t kObserveDeadlines = 10;
constexpr std::int64_t kLeastObserveUs = 1'000'000;

}  // namespace

Result<LoadedPlugin::Layout> LoadedPlugin::layout_of(const Manifest& manifest) {
  auto tables = TableLayout::make(manifest.columns());
  if (!tables) return tl::unexpected(tables.error());
  Layout layout{std::move(*tables), {}};
  for (const std::string& column : manifest.observed_columns) {
    const auto place = layout.tables.place_of(column);
    if (!place) return tl::unexpected(place.error());
    layout.observed.push_back(*place);
  }
  return layout;
}

Result<std::shared_ptr<LoadedPlugin>> LoadedPlugin::load(Order order) {
  auto layout = layout_of(order.load.manifest);
  if (!layout) return tl::unexpected(layout.error());
  auto instance = PluginLibrary::open(order.load.manifest).and_then([&](const PluginLibrary& library) {
    return library.create(order.load.manifest, order.load.configuration);
  });
  if (!instance) return tl::unexpected(instance.error());
  return std::shared_ptr<LoadedPlugin>(
      new LoadedPlugin(std::move(order), *std::move(layout), *std::move(instance), nullptr, nullptr));
}

Result<std::shared_ptr<LoadedPlugin>> LoadedPlugin::isolate(Order order, const WorkerSettings& settings) {
  auto layout = layout_of(order.load.manifest);
  if (!layout) return tl::unexpected(layout.error());
  auto annex = Arena::create(kAnnexBytes);
  if (!annex) return tl::unexpected(annex.error());
  std::shared_ptr<LoadedPlugin> plugin(
      new LoadedPlugin(std::move(order), *std::move(layout), nullptr, &settings, *std::move(annex)));
  plugin->remote_->worker().start([self = plugin.get()] { self->pictures_.show_again(); });
  return plugin;
}

LoadedPlugin::LoadedPlugin(Order order, Layout layout, std::unique_ptr<PluginInstance> instance,
                           const WorkerSettings* settings, std::shared_ptr<Arena> annex)
    : order_(std::move(order)),
      remote_(settings ? make_remote(*settings, std::move(annex)) : nullptr),
      instance_(remote_ ? remote_->instance() : std::move(instance)),
      layout_(std::move(layout.tables)),
      // A worker answers one question after the other, so calls are made to wait here.
      pictures_(layout_, std::move(layout.observed), observer(), order_.load.manifest.reentrant && !remote_) {}

// Before the pictures go: a worker that is over has nothing to forget, and its thread uses them.
LoadedPlugin::~LoadedPlugin() {
  if (remote_) remote_->worker().stop();
}

std::unique_ptr<RemotePlugin> LoadedPlugin::make_remote(const WorkerSettings& settings, std::shared_ptr<Arena> annex) {
  const RemotePlugin::Deadlines deadlines{kHardDeadlines * order_.deadline_us,
                                          std::max(kLeastObserveUs, kObserveDeadlines * order_.deadline_us)};
  return std::make_unique<RemotePlugin>(Worker::Order{settings, order_.load, std::move(annex)}, deadlines,
                                        [this] { breaker_.note(true, order_.tick()); });
}

// A worker has to be shown pictures whether or not its plugin observes them.
const emplace_observer* LoadedPlugin::observer() const {
  return remote_ || order_.load.manifest.has_observer ? &instance_->observer() : nullptr;
}

Result<void> LoadedPlugin::observe(const Picture& picture) {
  // In this process nothing but the calls themselves is known to be slow.
  if (const auto ready = remote_ ? check_ready() : Result<void>(); !ready) return ready;
  return pictures_.observe(picture);
}

Result<void> LoadedPlugin::check_ready() const {
  if (quarantined()) return tl::unexpected(quarantine_error());
  if (!remote_) return {};
  const auto process = remote_->worker().process();
  return process ? Result<void>() : tl::unexpected(process.error());
}

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

void LoadedPlugin::note(CallCounts& counts, std::int64_t took_us, bool failed, bool lost) {
  const bool late = took_us > order_.deadline_us;
  counts.add(took_us, failed, late || lost);
  // A loss was noted when it was noticed. What failed for another reason says nothing about a worker's speed.
  if (remote_ && (lost || (failed && !late))) return;
  breaker_.note(late, order_.tick());
}

Error LoadedPlugin::quarantine_error() const {
  const std::string& id = order_.load.manifest.id;
  if (remote_) {
    const std::string last = remote_->worker().status().last_error;
    return {ErrorCode::kUnavailable, fmt::format("plugin {}: set aside for a while after {} misses in a row{}{}", id,
                                                 Breaker::kMisses, last.empty() ? "" : "; the last: ", last)};
  }
  return {ErrorCode::kUnavailable,
          fmt::format("plugin {}: set aside after {} calls in a row over its deadline of {} ms", id, Breaker::kMisses,
                      order_.deadline_us / 1000)};
}

}  // namespace emplace
