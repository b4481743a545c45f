// The Nova plugin: the filters and weighers of nova-scheduler (Zed, 26.2.2) under their class names, with the same
// answers.
#include "rules.h"

namespace emplace::nova {
namespace {

void make(const plugin::Configuration& configuration, plugin::Plugin& plugin) {
  const auto hosts = std::make_shared<HostStates>();
  const Shared shared{hosts,
                      std::make_shared<Specs>(),
                      {static_cast<std::int64_t>(configuration.number("service_down_time") * 1e6),
                       configuration.text("image_properties_default_architecture"),
                       configuration.flag("packing_host_numa_cells_allocation_strategy")}};
  plugin.set_observer(hosts);
  add_compute_filter(plugin, shared);
  add_capabilities_filter(plugin, shared);
  add_image_properties_filter(plugin, shared);
  add_server_group_filters(plugin, shared);
  add_numa_filter(plugin, shared);
  add_pci_rules(plugin, shared);
  add_resource_weighers(plugin, shared);
}

}  // namespace
}  // namespace emplace::nova

EMPLACE_PLUGIN("nova", "1.0.0", emplace::nova::make)
