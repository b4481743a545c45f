#include "service/core/decide/cells.h"

#include <algorithm>

namespace emplace {
namespace {

std::vector<std::uint32_t> indices_of(std::uint64_t mask) {
  std::vector<std::uint32_t> indices;
  for (; mask != 0; mask &= mask - 1) indices.push_back(static_cast<std::uint32_t>(std::countr_zero(mask)));
  return indices;
}

}  // namespace

std::optional<std::uint64_t> choose_cell_mask(std::span<const CellFree> cells, double vcpus, double memory_mib,
                                              std::uint32_t numa_nodes) {
  const auto usable = static_cast<std::uint32_t>(std::min<std::size_t>(cells.size(), kMaxCells));
  if (numa_nodes == 0) return 0;
  if (numa_nodes > usable) return std::nullopt;
  const double nodes = numa_nodes;
  std::array<std::uint32_t, kMaxCells> fitting{};
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < usable; ++i) {
    if (cells[i].vcpus >= vcpus / nodes && cells[i].memory_mib >= memory_mib / nodes) fitting[count++] = i;
  }
  if (count < numa_nodes) return std::nullopt;
  const auto fuller = [&](std::uint32_t a, std::uint32_t b) {
    if (cells[a].vcpus != cells[b].vcpus) return cells[a].vcpus < cells[b].vcpus;
    if (cells[a].memory_mib != cells[b].memory_mib) return cells[a].memory_mib < cells[b].memory_mib;
    return a < b;
  };
  std::sort(fitting.begin(), fitting.begin() + count, fuller);
  std::uint64_t mask = 0;
  for (std::uint32_t i = 0; i < numa_nodes; ++i) mask |= std::uint64_t{1} << fitting[i];
  return mask;
}

std::optional<std::vector<std::uint32_t>> choose_cells(std::span<const CellFree> cells, double vcpus, double memory_mib,
                                                       std::uint32_t numa_nodes) {
  const auto mask = choose_cell_mask(cells, vcpus, memory_mib, numa_nodes);
  return mask ? std::optional(indices_of(*mask)) : std::nullopt;
}

std::span<const CellFree> FreeCells::of(std::uint32_t host) {
  const auto first = first_.get(host);
  if (!first) return {};
  const std::uint32_t count = std::min(count_.get(host).value_or(0), kMaxCells);
  for (std::uint32_t i = 0; i < count; ++i) cells_[i] = {vcpus_[*first + i], memory_mib_[*first + i]};
  return std::span(cells_).first(count);
}

std::optional<std::vector<std::uint32_t>> cells_for(const Picture& picture, std::uint32_t host, const VmRequest& vm) {
  FreeCells free(picture);
  return choose_cells(free.of(host), vm.vcpus, vm.memory_mib, vm.numa_nodes);
}

}  // namespace emplace
