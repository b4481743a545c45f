// choose_cells: which NUMA cells of a host hold a vm that asks for n of them. Each takes an equal share of the vm's vCPUs and
// memory; the cells that are left fullest are taken first (best fit), so that whole cells stay free for the vms that need
// them. The filter that keeps a host, the claim that takes it and the stored cells all use this one function.
// Cost: O(cells log cells). Total.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace emplace {

struct CellFree {
  double vcpus;
  double memory_mib;
};

// Indices into `cells`, rising; nothing when they don't fit. numa_nodes = 0 gives an empty list.
std::optional<std::vector<std::uint32_t>> choose_cells(std::span<const CellFree> cells, double vcpus, double memory_mib,
                                                       std::uint32_t numa_nodes);

}  // namespace emplace
