#include "cli/simulate/fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace emplace::cli {
namespace {

bool holds(const Cell& cell, double vcpus, double memory_mib) {
  return cell.vcpus >= vcpus && cell.memory_mib >= memory_mib;
}

// What of `cell` a vm with `ratio` MiB per vCPU can make no use of.
Cell unusable(const Cell& cell, double ratio) {
  const double usable = std::max(0.0, std::min(cell.vcpus, cell.memory_mib / ratio));
  return {std::max(0.0, cell.vcpus - usable), std::max(0.0, cell.memory_mib - usable * ratio)};
}

}  // namespace

Fleet::Fleet(const Trace& trace) : trace_(trace) {
  for (const TraceHost& host : trace.hosts) {
    hosts_.push_back({host.vcpus, host.memory_mib, host.disk_gib, host.cells, 0});
  }
  double vcpus = 0, memory_mib = 0;
  for (const TraceVm& vm : trace.vms) {
    vcpus += vm.vcpus;
    memory_mib += vm.memory_mib;
  }
  mib_per_vcpu_ = vcpus > 0 ? memory_mib / vcpus : 0;
}

std::optional<std::string> Fleet::group_broken(const TraceVm& vm, std::size_t host) const {
  if (const auto group = groups_.find(vm.group); !vm.group.empty() && group != groups_.end()) {
    const auto& used = group->second.hosts;
    const std::string& policy = trace_.groups.at(vm.group);
    if (policy == "affinity" && !used.empty() && !used.contains(host)) return "affinity: " + vm.group + " is elsewhere";
    if (policy == "anti-affinity" && used.contains(host)) return "anti-affinity: " + vm.group + " is here already";
  }
  const auto spread = spreads_.find(vm.spread_group);
  if (vm.spread_group.empty() || spread == spreads_.end()) return std::nullopt;
  const auto rack = spread->second.racks.find(trace_.hosts[host].rack);
  if (rack == spread->second.racks.end()) return std::nullopt;
  for (const auto& [domain, members] : rack->second) {
    if (domain != vm.spread_domain) return fmt::format("spread: {} of {} is in this rack", domain, vm.spread_group);
  }
  return std::nullopt;
}

std::optional<std::string> Fleet::broken_by(const Placed& placed) const {
  const TraceVm& vm = trace_.vms[placed.vm];
  const Host& host = hosts_[placed.host];
  if (host.free_vcpus < vm.vcpus) return fmt::format("capacity: {} vcpus free, {} wanted", host.free_vcpus, vm.vcpus);
  if (host.free_memory_mib < vm.memory_mib) return "capacity: memory";
  if (host.free_disk_gib < vm.disk_gib) return "capacity: disk";
  if (static_cast<int>(placed.cells.size()) != vm.numa_nodes) {
    return fmt::format("numa: {} cells taken, {} wanted", placed.cells.size(), vm.numa_nodes);
  }
  if (std::set<int>(placed.cells.begin(), placed.cells.end()).size() != placed.cells.size())
    return "numa: one cell twice";
  for (const int cell : placed.cells) {
    const auto i = static_cast<std::size_t>(cell);
    if (cell < 0 || i >= host.cells.size()) return fmt::format("numa: the host has no cell {}", cell);
    if (!holds(host.cells[i], vm.vcpus / vm.numa_nodes, vm.memory_mib / vm.numa_nodes)) {
      return fmt::format("numa: cell {} has no room", cell);
    }
  }
  if (!vm.zone.empty() && vm.zone != trace_.hosts[placed.host].zone) return "zone: wanted " + vm.zone;
  return group_broken(vm, placed.host);
}

std::optional<Placed> Fleet::fits(std::size_t vm_index, std::size_t host_index) const {
  const TraceVm& vm = trace_.vms[vm_index];
  const Host& host = hosts_[host_index];
  Placed placed{vm_index, host_index};
  for (std::size_t i = 0; i < host.cells.size() && static_cast<int>(placed.cells.size()) < vm.numa_nodes; ++i) {
    if (holds(host.cells[i], vm.vcpus / vm.numa_nodes, vm.memory_mib / vm.numa_nodes)) {
      placed.cells.push_back(static_cast<int>(i));
    }
  }
  if (broken_by(placed)) return std::nullopt;
  return placed;
}

void Fleet::add(const Placed& placed, double sign) {
  const TraceVm& vm = trace_.vms[placed.vm];
  Host& host = hosts_[placed.host];
  host.free_vcpus -= sign * vm.vcpus;
  host.free_memory_mib -= sign * vm.memory_mib;
  host.free_disk_gib -= sign * vm.disk_gib;
  vcpus_used_ += sign * vm.vcpus;
  for (const int cell : placed.cells) {
    if (static_cast<std::size_t>(cell) >= host.cells.size()) continue;
    host.cells[static_cast<std::size_t>(cell)].vcpus -= sign * vm.vcpus / static_cast<double>(placed.cells.size());
    host.cells[static_cast<std::size_t>(cell)].memory_mib -=
        sign * vm.memory_mib / static_cast<double>(placed.cells.size());
  }
}

void Fleet::put(const Placed& placed) {
  const TraceVm& vm = trace_.vms[placed.vm];
  add(placed, 1);
  if (hosts_[placed.host].vms++ == 0) ++hosts_used_;
  if (!vm.group.empty()) ++groups_[vm.group].hosts[placed.host];
  if (!vm.spread_group.empty()) ++spreads_[vm.spread_group].racks[trace_.hosts[placed.host].rack][vm.spread_domain];
}

void Fleet::remove(const Placed& placed) {
  const TraceVm& vm = trace_.vms[placed.vm];
  add(placed, -1);
  if (--hosts_[placed.host].vms == 0) --hosts_used_;
  const auto forget = [](auto& counts, const auto& key) {
    if (--counts[key] == 0) counts.erase(key);
  };
  if (!vm.group.empty()) forget(groups_[vm.group].hosts, placed.host);
  if (vm.spread_group.empty()) return;
  auto& racks = spreads_[vm.spread_group].racks;
  const std::string& rack = trace_.hosts[placed.host].rack;
  forget(racks[rack], vm.spread_domain);
  if (racks[rack].empty()) racks.erase(rack);
}

Stranded Fleet::stranded() const {
  if (mib_per_vcpu_ <= 0) return {};
  Cell lost, capacity;
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    capacity.vcpus += trace_.hosts[i].vcpus;
    capacity.memory_mib += trace_.hosts[i].memory_mib;
    const std::vector<Cell> whole = {{hosts_[i].free_vcpus, hosts_[i].free_memory_mib}};
    for (const Cell& cell : hosts_[i].cells.empty() ? whole : hosts_[i].cells) {
      const Cell part = unusable(cell, mib_per_vcpu_);
      lost.vcpus += part.vcpus;
      lost.memory_mib += part.memory_mib;
    }
  }
  return {lost.vcpus / capacity.vcpus, lost.memory_mib / capacity.memory_mib};
}

std::optional<Placed> choose(const Trace& trace, const Fleet& fleet, Policy policy, std::size_t vm) {
  std::optional<Placed> best;
  for (std::size_t host = 0; host < trace.hosts.size(); ++host) {
    if (best && fleet.free_vcpus(host) >= fleet.free_vcpus(best->host)) continue;
    const auto candidate = fleet.fits(vm, host);
    if (!candidate) continue;
    if (policy == Policy::kFirstFit) return candidate;
    best = candidate;
  }
  return best;
}

}  // namespace emplace::cli
