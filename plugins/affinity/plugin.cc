// The affinity plugin: what it consists of. Virtual footprints as in Sonnek and Chandra, "Virtual Putty", HotCloud
// 2009.
#include "memory.h"
#include "network.h"

namespace emplace::affinity {
namespace {

void make(const plugin::Configuration& configuration, plugin::Plugin& plugin) {
  const auto snapshots = std::make_shared<PageSnapshots>();
  const auto stale_after_us = static_cast<std::int64_t>(configuration.number("samples_stale_after_s") * 1e6);
  const Distances distances = Distances::from(configuration);
  plugin.set_observer(snapshots);
  plugin.add("affinity.memory", std::make_unique<Memory>(snapshots, stale_after_us));
  plugin.add("affinity.network", std::make_unique<Network>(distances));
  plugin.add("affinity.data", std::make_unique<Data>(distances));
}

}  // namespace
}  // namespace emplace::affinity

EMPLACE_PLUGIN("affinity", "1.0.0", emplace::affinity::make)
