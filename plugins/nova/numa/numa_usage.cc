// What an instance that was fitted takes of its host.
#include <algorithm>

#include "numa/numa_fit.h"

namespace emplace::nova {
namespace {

// Nova divides as floats and keeps the whole part.
void use_pages(NumaCell& host, const GuestCell& guest) {
  if (host.pages.empty()) return;
  const std::int64_t size_kib = guest.page_kib != 0 ? guest.page_kib : host.pages.back().size_kib;
  for (NumaPages& pages : host.pages) {
    if (pages.size_kib != size_kib) continue;
    const double used =
        static_cast<double>(pages.used) + static_cast<double>(guest.memory_mib * 1024) / static_cast<double>(size_kib);
    pages.used = std::max<std::int64_t>(0, static_cast<std::int64_t>(used));
  }
}

// All threads of the cores that have one of these.
std::vector<Cpu> with_siblings(const NumaCell& host, const std::vector<Cpu>& cpus) {
  std::vector<Cpu> all;
  for (std::size_t core = 0; core < host.cores(); ++core) {
    const auto siblings = host.core(core);
    const bool touched = std::ranges::find_first_of(siblings, cpus) != siblings.end();
    if (touched) all.insert(all.end(), siblings.begin(), siblings.end());
  }
  return all;
}

bool use_cpus(NumaCell& host, const FittedCell& fitted) {
  host.cpu_usage += fitted.guest.shared_count;
  if (!fitted.guest.pins()) return true;
  if (!fitted.pinning) return false;
  std::vector<Cpu> cpus = fitted.pinning->cpus;
  if (fitted.pinning->reserved) cpus.push_back(*fitted.pinning->reserved);
  if (fitted.guest.threads == ThreadPolicy::kIsolate) cpus = with_siblings(host, cpus);
  if (!std::ranges::all_of(cpus, [&](Cpu cpu) { return host.is_free(cpu); })) return false;
  for (const Cpu cpu : cpus) host.pinned.insert(cpu);
  return true;
}

}  // namespace

std::optional<NumaTopology> consume(const NumaTopology& host, const std::vector<FittedCell>& fit) {
  NumaTopology used = host;
  for (NumaCell& cell : used.cells) {
    for (const FittedCell& fitted : fit) {
      if (fitted.guest.id != cell.id) continue;
      use_pages(cell, fitted.guest);
      cell.memory_used_mib += fitted.guest.memory_mib;
      if (!use_cpus(cell, fitted)) return std::nullopt;
    }
    cell.memory_used_mib = std::max<std::int64_t>(0, cell.memory_used_mib);
    cell.cpu_usage = std::max<std::int64_t>(0, cell.cpu_usage);
    cell.renew_sets();
    cell.count();
  }
  return used;
}

}  // namespace emplace::nova
