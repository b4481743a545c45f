#include "service/store/ledger.h"

#include <algorithm>

#include "service/core/change/takes.h"
#include "service/core/decide/cells.h"

namespace emplace {
namespace {

std::optional<Refusal> refuse_room(const HostLedger& host, const Amounts& vm) {
  const struct {
    const char* code;
    double wanted, free;
    const char* unit;
  } resources[] = {
      {"capacity.vcpus", vm.vcpus, host.capacity.vcpus - host.used.vcpus, "vcpus"},
      {"capacity.memory", vm.memory_mib, host.capacity.memory_mib - host.used.memory_mib, "MiB"},
      {"capacity.disk", vm.disk_gib, host.capacity.disk_gib - host.used.disk_gib, "GiB"},
  };
  for (const auto& resource : resources)
    if (resource.wanted > 0 && resource.wanted > resource.free)
      return Refusal{resource.code, resource.wanted, resource.free, resource.unit};
  return std::nullopt;
}

std::optional<Refusal> refuse_cells(const HostLedger& host, const VmRequest& vm, std::vector<std::uint32_t>& cells) {
  cells.clear();
  if (vm.numa_nodes == 0) return std::nullopt;
  std::vector<CellFree> free;
  for (const CellLedger& cell : host.cells)
    free.push_back({cell.vcpus - cell.vcpus_used, cell.memory_mib - cell.memory_used_mib});
  if (auto chosen = choose_cells(free, vm.vcpus, vm.memory_mib, vm.numa_nodes)) {
    cells = std::move(*chosen);
    return std::nullopt;
  }
  const double share_vcpus = vm.vcpus / vm.numa_nodes, share_memory_mib = vm.memory_mib / vm.numa_nodes;
  const auto fitting = std::count_if(free.begin(), free.end(), [&](const CellFree& cell) {
    return cell.vcpus >= share_vcpus && cell.memory_mib >= share_memory_mib;
  });
  return Refusal{"capacity.numa", static_cast<double>(vm.numa_nodes), static_cast<double>(fitting), "cells with room"};
}

std::optional<Refusal> refuse_group(const GroupLedger& group, const HostLedger& host, const Uuid& vm) {
  double here = 0, elsewhere = 0;
  for (const Member& member : group.members) {
    if (member.vm == vm) continue;
    (member.host == host.id ? here : elsewhere) += 1;
  }
  if (group.policy == GroupPolicy::kAffinity && elsewhere > 0)
    return Refusal{"group.affinity", std::string("the host of the group's other vms"), elsewhere, "vms elsewhere"};
  if (group.policy == GroupPolicy::kAntiAffinity && here >= group.max_per_host)
    return Refusal{"group.anti_affinity", group.max_per_host, here, "members"};
  return std::nullopt;
}

std::optional<Refusal> refuse_spread(const Ledger& ledger, const HostLedger& host, const VmRequest& vm) {
  if (vm.spread.by == SpreadBy::kNone) return std::nullopt;
  const auto members = ledger.spreads.find({vm.spread.by, vm.spread.group});
  if (members == ledger.spreads.end()) return std::nullopt;
  const std::string place = place_of(host, vm.spread.by);
  for (const SpreadMember& member : members->second)
    if (member.vm != vm.id && member.domain != vm.spread.domain && member.place == place)
      return Refusal{vm.spread.by == SpreadBy::kRack ? "spread.rack" : "spread.zone", vm.spread.domain, member.domain,
                     "domain"};
  return std::nullopt;
}

std::optional<Refusal> refuse_takes(const HostLedger& host, const std::string& takes) {
  for (const Taken& take : read_takes(takes).value_or(std::vector<Taken>())) {
    const auto at = host.taken.find(take.name);
    const double taken = at == host.taken.end() ? 0 : at->second;
    if (taken + take.amount > take.limit) return Refusal{"capacity.taken", take.name, take.limit - taken, "left"};
  }
  return std::nullopt;
}

Amounts amounts_of(const ClaimOrder& order) {
  return counted({order.vm.vcpus, order.vm.memory_mib, order.vm.disk_gib}, order.takes);
}

template <typename Members>
void remove_last(Members& members, const Uuid& vm) {
  const auto found =
      std::find_if(members.rbegin(), members.rend(), [&](const auto& member) { return member.vm == vm; });
  if (found != members.rend()) members.erase(std::next(found).base());
}

}  // namespace

std::string place_of(const HostLedger& host, SpreadBy by) {
  const std::string& place = by == SpreadBy::kRack ? host.rack : host.zone;
  return place.empty() ? "host " + host.name : "in " + place;
}

void use(HostLedger& host, const Amounts& amounts, const std::vector<std::uint32_t>& cells, double sign) {
  host.used.vcpus += sign * amounts.vcpus;
  host.used.memory_mib += sign * amounts.memory_mib;
  host.used.disk_gib += sign * amounts.disk_gib;
  const double share = cells.empty() ? 0 : 1.0 / static_cast<double>(cells.size());
  for (const std::uint32_t cell : cells) {
    if (cell >= host.cells.size()) continue;
    host.cells[cell].vcpus_used += sign * amounts.vcpus * share;
    host.cells[cell].memory_used_mib += sign * amounts.memory_mib * share;
  }
  host.changed = true;
}

void use_takes(HostLedger& host, const std::string& takes, double sign) {
  for (const Taken& take : read_takes(takes).value_or(std::vector<Taken>()))
    host.taken[take.name] += sign * take.amount;
}

std::optional<Refusal> refuse(const Ledger& ledger, const ClaimOrder& order, std::vector<std::uint32_t>& cells) {
  const auto found = ledger.hosts.find(order.host);
  if (found == ledger.hosts.end()) return Refusal{"state.removed", order.host, std::string("no such host"), ""};
  const HostLedger& host = found->second;
  if (host.state != HostState::kEnabled)
    return Refusal{"state." + std::string(to_string(host.state)), std::string("enabled"),
                   std::string(to_string(host.state)), ""};
  if (auto why = refuse_room(host, amounts_of(order))) return why;
  if (!order.vm.group.empty())
    if (auto why = refuse_group(ledger.groups.at(order.vm.group), host, order.vm.id)) return why;
  if (auto why = refuse_spread(ledger, host, order.vm)) return why;
  if (auto why = refuse_takes(host, order.takes)) return why;
  return refuse_cells(host, order.vm, cells);
}

void promise(Ledger& ledger, const ClaimOrder& order, const std::vector<std::uint32_t>& cells) {
  HostLedger& host = ledger.hosts.at(order.host);
  use(host, amounts_of(order), cells, 1);
  use_takes(host, order.takes, 1);
  ++host.claims_generation;
  if (!order.vm.group.empty()) {
    ledger.groups.at(order.vm.group).members.push_back({order.vm.id, host.id});
    ledger.groups.at(order.vm.group).changed = true;
  }
  if (order.vm.spread.by != SpreadBy::kNone)
    ledger.spreads[{order.vm.spread.by, order.vm.spread.group}].push_back(
        {order.vm.id, order.vm.spread.domain, place_of(host, order.vm.spread.by)});
}

void take_back(Ledger& ledger, const ClaimOrder& order, const std::vector<std::uint32_t>& cells) {
  HostLedger& host = ledger.hosts.at(order.host);
  use(host, amounts_of(order), cells, -1);
  use_takes(host, order.takes, -1);
  --host.claims_generation;
  if (!order.vm.group.empty()) remove_last(ledger.groups.at(order.vm.group).members, order.vm.id);
  if (order.vm.spread.by != SpreadBy::kNone)
    remove_last(ledger.spreads[{order.vm.spread.by, order.vm.spread.group}], order.vm.id);
}

}  // namespace emplace
