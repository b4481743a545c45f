// What Nova's rules are made from, and the families that add theirs to the plugin: one small file per family.
#pragma once

#include <memory>

#include "host_states.h"
#include "options.h"
#include "spec.h"

namespace emplace::nova {

struct Shared {
  std::shared_ptr<const HostStates> hosts;
  std::shared_ptr<const Specs> specs;
  std::shared_ptr<const Settings> settings;
};

void add_compute_filter(plugin::Plugin& plugin, const Shared& shared);
void add_capabilities_filter(plugin::Plugin& plugin, const Shared& shared);
void add_image_properties_filter(plugin::Plugin& plugin, const Shared& shared);
void add_server_group_filters(plugin::Plugin& plugin, const Shared& shared);
void add_aggregate_filters(plugin::Plugin& plugin, const Shared& shared);
void add_count_filters(plugin::Plugin& plugin, const Shared& shared);
void add_isolation_filters(plugin::Plugin& plugin, const Shared& shared);
void add_hint_filters(plugin::Plugin& plugin, const Shared& shared);
void add_json_filter(plugin::Plugin& plugin, const Shared& shared);
void add_metrics_rules(plugin::Plugin& plugin, const Shared& shared);
void add_resource_weighers(plugin::Plugin& plugin, const Shared& shared);
void add_count_weighers(plugin::Plugin& plugin, const Shared& shared);
void add_affinity_weighers(plugin::Plugin& plugin, const Shared& shared);
void add_cross_cell_weigher(plugin::Plugin& plugin, const Shared& shared);
void add_numa_filter(plugin::Plugin& plugin, const Shared& shared);
void add_pci_rules(plugin::Plugin& plugin, const Shared& shared);
void add_image_properties_weigher(plugin::Plugin& plugin, const Shared& shared);
void add_consumer(plugin::Plugin& plugin, const Shared& shared);

}  // namespace emplace::nova
