// The Nova plugin: the filters and weighers of nova-scheduler (Zed, 26.2.2, and master) under their class names,
// with the same answers. What Nova skips for later instances of one request (run_filter_once_per_request) needs no code
// here: such a filter looks only at what does not change within a request, so it says the same again.
#include "rules.h"

namespace emplace::nova {
namespace {

void make(const plugin::Configuration& configuration, plugin::Plugin& plugin) {
  const auto hosts = std::make_shared<HostStates>();
  const Shared shared{hosts, std::make_shared<Specs>(), std::make_shared<Settings>(configuration.json())};
  plugin.set_observer(hosts);
  for (const auto add :
       {add_compute_filter, add_capabilities_filter, add_image_properties_filter, add_server_group_filters,
        add_aggregate_filters, add_count_filters, add_isolation_filters, add_hint_filters, add_json_filter,
        add_metrics_rules, add_resource_weighers, add_count_weighers, add_affinity_weighers, add_cross_cell_weigher,
        add_image_properties_weigher, add_numa_filter, add_pci_rules, add_consumer}) {
    add(plugin, shared);
  }
}

}  // namespace
}  // namespace emplace::nova

EMPLACE_PLUGIN("nova", "1.0.0", emplace::nova::make)
