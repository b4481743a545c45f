// NumaTopology: the NUMA cells of a host as Nova's NUMATopology object says: CPUs, memory, pages, and what of them is
// used. Compiled once when a host's state changes. Fitting an instance reads only counts, which are kept up to date
// with the sets of CPUs that they count.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "value.h"

namespace emplace::nova {

using Cpu = std::uint16_t;
inline constexpr Cpu kMostCpu = 16383;
inline constexpr std::size_t kMostThreads = 16;  // of a core

// Host CPUs, a bit each.
class CpuSet {
 public:
  void insert(Cpu cpu) {
    if (words_.size() <= cpu / 64u) words_.resize(cpu / 64u + 1);
    words_[cpu / 64u] |= std::uint64_t{1} << cpu % 64;
  }
  bool contains(Cpu cpu) const { return cpu / 64u < words_.size() && (words_[cpu / 64u] >> cpu % 64 & 1); }
  std::uint16_t size() const {
    int count = 0;
    for (const std::uint64_t word : words_) count += std::popcount(word);
    return static_cast<std::uint16_t>(count);
  }
  bool operator==(const CpuSet& other) const;
  CpuSet without(const CpuSet& other) const;

 private:
  std::vector<std::uint64_t> words_;
};

struct NumaPages {
  std::int64_t size_kib = 0;
  std::int64_t total = 0, used = 0, reserved = 0;  // pages
  std::int64_t total_kib() const { return total * size_kib; }
  std::int64_t free_kib() const { return (total - used - reserved) * size_kib; }
  bool operator==(const NumaPages&) const = default;
};

// What fitting reads comes first, on one cache line for what most instances ask: a host's cells lie in memory that
// nothing else has touched since the last decision.
struct alignas(64) NumaCell {
  std::int64_t id = 0;
  std::int64_t memory_mib = 0, memory_used_mib = 0;
  std::int64_t cpu_usage = 0;  // shared CPUs that instances use

  // What follows from the pages and sets below.
  std::int64_t smallest_page_kib = 0, smallest_pages_kib = 0;  // size, and of all of that size; 0: no pages are known
  std::uint16_t shared_count = 0, dedicated_count = 0, free_count = 0;
  std::uint16_t free_in_cores = 0;    // free dedicated CPUs that belong to a core
  std::uint8_t threads_per_core = 0;  // of the largest core; 0 when there are no cores
  bool same_sets = false;             // shared and dedicated are equal
  // By number of threads: cores that have at least so many free dedicated CPUs.
  std::array<std::uint16_t, kMostThreads + 1> cores_with = {};

  std::vector<NumaPages> pages;      // larger ones first
  CpuSet shared, dedicated, pinned;  // Nova's cpuset, pcpuset, pinned_cpus
  std::vector<Cpu> threads;          // siblings, core by core; each core in the order of Nova's set
  std::vector<std::uint32_t> core_ends;
  std::vector<Cpu> dedicated_order;  // in which Nova's set pcpuset has them (python_set.h)
  std::optional<std::int64_t> socket;
  std::vector<std::string> physnets;  // with affinity to this cell
  bool tunneled = false;              // tunneled networks have affinity to it

  void count();
  // What becomes of the orders where Nova makes the cell anew: when it has counted an instance on the host.
  void renew_sets();
  std::size_t cores() const { return core_ends.size(); }
  std::span<const Cpu> core(std::size_t index) const;
  std::int64_t memory_free_mib() const { return memory_mib - memory_used_mib; }
  bool is_free(Cpu cpu) const { return dedicated.contains(cpu) && !pinned.contains(cpu); }
};

bool has_threads(std::span<const NumaCell> host);

struct NumaTopology {
  std::vector<NumaCell> cells;
  std::string fault;  // why it can't be read; then there are no cells
};

// From the primitive of a NUMATopology, or the text of one; nothing when the host says nothing.
std::optional<NumaTopology> numa_topology_of(const Value* value);

}  // namespace emplace::nova
