// One guest cell on one host cell: whether it fits, and which CPUs it gets.
#include <algorithm>

#include "numa/numa_fit.h"
#include "python_set.h"

namespace emplace::nova {
namespace {

constexpr std::int64_t kKibPerMib = 1024;

const NumaPages* find_pages(const NumaCell& host, std::int64_t size_kib) {
  const auto at = std::ranges::find(host.pages, size_kib, &NumaPages::size_kib);
  return at == host.pages.end() ? nullptr : &*at;
}

// The sizes that a request allows, larger ones first. The smallest is no large one, even where it is the only one.
std::span<const NumaPages> allowed_pages(const NumaCell& host, std::int64_t wanted) {
  const std::span<const NumaPages> all = host.pages;
  if (all.empty() || wanted == kPagesAny) return all;
  return wanted == kPagesSmall ? all.last(1) : all.first(all.size() - 1);
}

// 0: none.
std::int64_t choose_page_kib(const NumaCell& host, const GuestCell& guest) {
  const std::int64_t memory_kib = guest.memory_mib * kKibPerMib;
  const auto fits = [&](std::int64_t size_kib) {
    const NumaPages* pages = find_pages(host, size_kib);
    return pages && memory_kib <= pages->free_kib() && memory_kib % size_kib == 0;
  };
  if (guest.page_kib < kPagesAny || guest.page_kib > 0) return fits(guest.page_kib) ? guest.page_kib : 0;
  for (const NumaPages& pages : allowed_pages(host, guest.page_kib)) {
    if (fits(pages.size_kib)) return pages.size_kib;
  }
  return 0;
}

NumaObstacle fit_memory(const NumaCell& host, GuestCell& guest) {
  if (guest.page_kib != 0) {
    const std::int64_t chosen = choose_page_kib(host, guest);
    if (chosen == 0) return NumaObstacle::kPages;
    guest.page_kib = chosen;
    return NumaObstacle::kNone;
  }
  // Pages that can be swapped may be overcommitted, but not by one instance alone.
  const std::int64_t memory_kib = guest.memory_mib * kKibPerMib;
  const bool fits = host.smallest_page_kib == 0
                        ? guest.memory_mib <= host.memory_mib
                        : memory_kib <= host.smallest_pages_kib && memory_kib % host.smallest_page_kib == 0;
  return fits ? NumaObstacle::kNone : NumaObstacle::kMemory;
}

// How dedicated CPUs are taken: `threads` each of the cores that have at least `of` free ones. One by one when `of` is
// 0; nothing fits when `threads` is.
struct Packing {
  std::uint32_t threads = 0, of = 0;
  bool isolates = false;
};

Packing pack_isolated(const NumaCell& host, std::uint32_t wanted, bool reserve) {
  const std::uint32_t full = host.threads_per_core;
  // With siblings, only hosts whose dedicated and shared CPUs are the same (vcpu_pin_set) still isolate by leaving
  // siblings idle.
  if (full > 1 && !host.same_sets) return {};
  const std::uint32_t cores = host.cores_with[full];
  const bool spare = !reserve || host.cores_with[1] > wanted;
  return cores > 0 && wanted <= cores && spare ? Packing{1, full, true} : Packing{};
}

// Cores with most free threads first, so that instances spread evenly.
Packing choose_packing(const NumaCell& host, const GuestCell& guest, bool reserve) {
  const std::uint32_t wanted = guest.dedicated_count;
  if (wanted == 0 || host.threads_per_core == 0) return {};
  if (guest.threads == ThreadPolicy::kIsolate) return pack_isolated(host, wanted, reserve);
  const bool requires_siblings = guest.threads == ThreadPolicy::kRequire;
  if (host.free_in_cores < wanted + (reserve ? 1 : 0)) return {};
  for (std::uint32_t threads = host.threads_per_core; threads > (requires_siblings ? 1 : 0); --threads) {
    if (threads * host.cores_with[threads] >= wanted) return {threads, threads};
  }
  return requires_siblings ? Packing{} : Packing{1, 0};
}

using Cores = std::vector<std::vector<Cpu>>;

// The free CPUs of each core, in the order in which Nova takes them.
Cores free_cores(const NumaCell& host) {
  const auto free = set_difference(host.dedicated_order, host.pinned);
  Cores cores;
  for (std::size_t core = 0; core < host.cores(); ++core) cores.push_back(set_intersection(host.core(core), free));
  return cores;
}

std::vector<Cpu> take_cpus(const Cores& cores, const Packing& packing, std::size_t wanted) {
  std::vector<Cpu> taken;
  for (const auto& free : cores) {
    if (free.size() < packing.of) continue;
    const std::size_t most = packing.of == 0 ? free.size() : packing.threads;
    for (std::size_t i = 0; i < most && taken.size() < wanted; ++i) taken.push_back(free[i]);
  }
  return taken;
}

// The first free CPU that is left over. When cores are isolated it is on another one than the guest's, whose sibling
// may be pinned all the same: the instance then can't be counted.
std::optional<Cpu> take_spare(const Cores& cores, const Packing& packing, const std::vector<Cpu>& taken) {
  const auto is_taken = [&](Cpu cpu) { return std::ranges::find(taken, cpu) != taken.end(); };
  for (const auto& free : cores) {
    if (packing.isolates && std::ranges::any_of(free, is_taken)) continue;
    const auto spare = std::ranges::find_if_not(free, is_taken);
    if (spare != free.end()) return *spare;
  }
  return std::nullopt;
}

// Nova writes the id with the pinning, also when a limit then refuses the cell.
NumaObstacle fit_dedicated(const NumaCell& host, GuestCell& guest, bool reserve) {
  if (guest.dedicated_count + (reserve ? 1 : 0) > host.free_count) return NumaObstacle::kFreeCpus;
  if (guest.memory_mib > host.memory_free_mib()) return NumaObstacle::kFreeMemory;
  if (choose_packing(host, guest, reserve).threads == 0) return NumaObstacle::kCores;
  guest.id = host.id;
  return NumaObstacle::kNone;
}

NumaObstacle fit_limits(const NumaCell& host, const GuestCell& guest, const NumaLimits& limits) {
  const auto cpu_usage = static_cast<double>(host.cpu_usage + guest.shared_count);
  if (cpu_usage > host.shared_count * limits.cpu_ratio) return NumaObstacle::kSharedLimit;
  const auto memory_usage = static_cast<double>(host.memory_used_mib + guest.memory_mib);
  const bool over = memory_usage > static_cast<double>(host.memory_mib) * limits.ram_ratio;
  return over ? NumaObstacle::kMemoryLimit : NumaObstacle::kNone;
}

}  // namespace

NumaObstacle fit_cell(const NumaCell& host, GuestCell& guest, const NumaLimits& limits, bool reserve) {
  NumaObstacle obstacle = fit_memory(host, guest);
  if (obstacle != NumaObstacle::kNone) return obstacle;
  if (guest.pins() && guest.dedicated_count + (reserve ? 1 : 0) > host.dedicated_count) return NumaObstacle::kDedicated;
  if (guest.shares() && guest.shared_count > host.shared_count) return NumaObstacle::kShared;
  if (guest.pins()) obstacle = fit_dedicated(host, guest, reserve);
  if (obstacle == NumaObstacle::kNone && guest.shares()) obstacle = fit_limits(host, guest, limits);
  if (obstacle == NumaObstacle::kNone) guest.id = host.id;
  return obstacle;
}

std::optional<Pinning> pin(const NumaCell& host, const GuestCell& guest, bool reserve) {
  const Packing packing = choose_packing(host, guest, reserve);
  if (packing.threads == 0) return std::nullopt;
  const Cores cores = free_cores(host);
  Pinning pinning{take_cpus(cores, packing, guest.dedicated_count), {}};
  if (reserve) pinning.reserved = take_spare(cores, packing, pinning.cpus);
  return pinning;
}

}  // namespace emplace::nova
