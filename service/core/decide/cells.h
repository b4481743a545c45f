// choose_cells: which NUMA cells of a host hold a vm that asks for n of them. Each takes an equal share of the vm's
// vCPUs and memory; the cells that are left fullest are taken first (best fit), so that whole cells stay free for the
// vms that need them. The filter that keeps a host, the claim that takes it and the stored cells all use this one
// function. Cost: O(cells log cells). Total.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "service/core/picture/picture.h"
#include "service/core/request/request.h"

namespace emplace {

// vms.cells has a bit for each; further cells of a host are never chosen.
inline constexpr std::uint32_t kMaxCells = 64;

struct CellFree {
  double vcpus;
  double memory_mib;
};

// Indices into `cells`, rising; nothing when they don't fit. numa_nodes = 0 gives an empty list.
std::optional<std::vector<std::uint32_t>> choose_cells(std::span<const CellFree> cells, double vcpus, double memory_mib,
                                                       std::uint32_t numa_nodes);

// The same as a bit mask, without allocating: what the filter asks for each host.
std::optional<std::uint64_t> choose_cell_mask(std::span<const CellFree> cells, double vcpus, double memory_mib,
                                              std::uint32_t numa_nodes);

// Reads what is free in the cells of one host after the other; a span is valid until the next call.
class FreeCells {
 public:
  explicit FreeCells(const Picture& picture)
      : first_(picture[hosts::first_cell]),
        count_(picture[hosts::cell_count]),
        vcpus_(picture[numa_cells::vcpus_free]),
        memory_mib_(picture[numa_cells::memory_free_mib]) {}
  std::span<const CellFree> of(std::uint32_t host);  // empty: the host has no cells

 private:
  ColumnView<std::uint32_t> first_, count_;
  ColumnView<double> vcpus_, memory_mib_;
  std::array<CellFree, kMaxCells> cells_{};
};

// The same for a host of a picture, with what is free there now. A host without cells has none to offer.
std::optional<std::vector<std::uint32_t>> cells_for(const Picture& picture, std::uint32_t host, const VmRequest& vm);

}  // namespace emplace
