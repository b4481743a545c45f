// compute_node_of: a row of the table compute_nodes of Nova's database as attributes of its scheduler's HostState, the
// way that HostState._update_from_compute_node reads it. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "service/openstack/cloud.h"

namespace emplace::openstack {

// Texts of JSON, or NULL.
struct ComputeNodeRow {
  std::optional<std::string_view> numa_topology = {}, pci_stats = {}, supported_instances = {}, metrics = {},
                                  stats = {};
};

// `id`: of the node, for its notes.
ComputeNode compute_node_of(const Uuid& id, const ComputeNodeRow& row);

}  // namespace emplace::openstack
