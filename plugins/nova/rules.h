// What Nova's rules are made from, and the families that add theirs to the plugin: one small file per family.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "host_states.h"
#include "spec.h"

namespace emplace::nova {

// Nova's configuration options, by Nova's names.
struct Options {
  std::int64_t service_down_time_us = 60'000'000;
  std::string image_properties_default_architecture;  // empty: none
  bool pack_numa_cells = false;                       // packing_host_numa_cells_allocation_strategy
};

struct Shared {
  std::shared_ptr<const HostStates> hosts;
  std::shared_ptr<const Specs> specs;
  Options options;
};

void add_compute_filter(plugin::Plugin& plugin, const Shared& shared);
void add_capabilities_filter(plugin::Plugin& plugin, const Shared& shared);
void add_image_properties_filter(plugin::Plugin& plugin, const Shared& shared);
void add_server_group_filters(plugin::Plugin& plugin, const Shared& shared);
void add_numa_filter(plugin::Plugin& plugin, const Shared& shared);
void add_pci_rules(plugin::Plugin& plugin, const Shared& shared);
void add_resource_weighers(plugin::Plugin& plugin, const Shared& shared);

}  // namespace emplace::nova
