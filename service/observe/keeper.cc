#include "service/observe/keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <tuple>

namespace emplace::observe {
namespace {

Deadline soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(10); }

constexpr int kRemakeTries = 3;

// Starting again is harmless then.
bool may_have_happened(const Error& error) {
  return error.code == ErrorCode::kTimeout || error.code == ErrorCode::kUnavailable;
}

bool same_report(const HostRow& a, const HostRow& b) {
  const auto key = [](const HostRow& h) {
    return std::tie(h.source, h.zone, h.rack, h.state, h.aggregates, h.traits, h.vcpus, h.memory_mib, h.disk_gib,
                    h.vcpus_reserved, h.memory_reserved_mib, h.disk_reserved_gib, h.cpu_allocation_ratio,
                    h.ram_allocation_ratio, h.disk_allocation_ratio);
  };
  return key(a) == key(b) && std::equal(a.cells.begin(), a.cells.end(), b.cells.begin(), b.cells.end(),
                                        [](const CellRow& x, const CellRow& y) {
                                          return x.vcpus == y.vcpus && x.memory_mib == y.memory_mib;
                                        });
}

bool has_source(const Picture& picture, std::uint32_t vm, std::string_view source) {
  const auto code = picture[vms::source].get(vm);
  return code && picture.text(*code) == source;
}

bool has_claim(const Picture& picture, const Uuid& vm) {
  for (const auto& entry : picture.index(Index::kVmsById).find(vm.low())) {
    if (picture[vms::id][entry.row] == vm && picture[vms::claim].valid(entry.row)) return true;
  }
  return false;
}

VmRow found_vm(const std::string& host, const DomainSeen& seen) {
  VmRow row;
  row.id = seen.id;
  row.name = seen.name;
  row.host = host;
  row.state = seen.state;
  row.source = seen.nova ? "nova" : "found";
  row.vcpus = seen.vcpus;
  row.memory_mib = seen.memory_mib;
  return row;
}

}  // namespace

void Keeper::write(std::vector<Change> changes, const std::string& host) {
  if (changes.empty()) return;
  const auto written = store_.write(std::move(changes), std::nullopt, std::nullopt, soon());
  // The next poll reports the same again, so nothing is lost.
  if (!written)
    log_("warn", fmt::format("event=report_not_written host={} error=\"{}\"", host, written.error().message));
}

void Keeper::connected(const std::string& host, bool fresh_state) {
  log_("info", fmt::format("event=host_connected host={}", host));
  if (fresh_state) remake(host);
}

void Keeper::remake(const std::string& host) {
  const auto stored = store_.stored_vms(soon());
  if (!stored) {
    return log_("error", fmt::format("event=vms_not_remade host={} error=\"{}\"", host, stored.error().message));
  }
  std::vector<StartOrder> orders;
  for (const StoredVm& vm : *stored) {
    if (vm.order.claim.host == host && vm.state != VmState::kStopped) orders.push_back(vm.order);
  }
  if (orders.empty()) return;
  log_("info", fmt::format("event=vms_remade_from_store host={} vms={}", host, orders.size()));
  {
    const std::lock_guard lock(mutex_);
    for (const StartOrder& order : orders) being_remade_.insert(order.vm.id);
  }
  for (const StartOrder& order : orders) remake_one(order, kRemakeTries);
}

void Keeper::remake_one(const StartOrder& order, int tries) {
  hypervisors_.get()->start(order, [this, order, tries](Result<void> started) {
    if (!started && may_have_happened(started.error()) && tries > 1) return remake_one(order, tries - 1);
    if (!started) {
      log_("error", fmt::format("event=vm_not_remade host={} vm={} error=\"{}\"", order.claim.host,
                                to_string(order.vm.id), started.error().message));
      std::ignore = store_.set_vm_state(order.vm.id, VmState::kFailed, soon());
    }
    const std::lock_guard lock(mutex_);
    being_remade_.erase(order.vm.id);
  });
}

bool Keeper::is_being_remade(const Uuid& vm) const {
  const std::lock_guard lock(mutex_);
  return being_remade_.contains(vm);
}

void Keeper::disconnected(const std::string& host, const std::string& reason) {
  log_("warn", fmt::format("event=host_disconnected host={} error=\"{}\"", host, reason));
  const auto picture = pictures_.latest();
  const std::uint32_t row = picture->find_host(host);
  // An operator's own word about the host (disabled, maintenance) stays.
  if (row == kNoRow || (*picture)[hosts::state][row] != static_cast<std::uint32_t>(HostState::kEnabled)) return;
  std::ignore = store_.set_host_state(host, HostState::kDown, std::nullopt, soon());
}

void Keeper::inventory(const HostRow& seen) {
  const auto picture = pictures_.latest();
  const std::uint32_t row = picture->find_host(seen.name);
  HostRow next = seen;
  next.state = HostState::kEnabled;
  if (row != kNoRow) {
    const HostRow known = host_row(*picture, row);
    if (known.state != HostState::kDown) next.state = known.state;
    next.cpu_util = known.cpu_util;
    next.memory_used_observed_mib = known.memory_used_observed_mib;
    next.power_watts = known.power_watts;
    next.observed_at_us = known.observed_at_us;
    next.nova_state = known.nova_state;
    if (same_report(known, next)) return;
  }
  write({std::move(next)}, seen.name);
}

// Whether the store has the claim that a domain was started for; this picture may lag behind. Where it does not, the
// claim was given back, and the domain is there all the same.
bool Keeper::is_known(const DomainSeen& seen) {
  if (!seen.claim) return false;
  const auto claim = store_.claim(*seen.claim, soon());
  return claim || claim.error().code != ErrorCode::kNotFound;
}

std::optional<Change> Keeper::change_for(const Picture& picture, const std::string& host, const DomainSeen& seen) {
  const auto entries = picture.index(Index::kVmsById).find(seen.id.low());
  const std::uint32_t vm = picture.find_vm(seen.id);
  // Only a claim yet: whoever starts it will confirm it.
  if (vm == kNoRow && !entries.empty()) return std::nullopt;
  if (vm == kNoRow) return is_known(seen) ? std::nullopt : std::optional<Change>(found_vm(host, seen));
  VmRow row = vm_row(picture, vm);
  // Who moves it holds a claim, which ends with the move, or by itself when its mover has died.
  const bool moving = row.state == VmState::kMigrating && has_claim(picture, row.id);
  if (moving || is_being_remade(row.id)) return std::nullopt;
  if (row.host == host) {
    set_state(row, seen.state);
    return std::nullopt;
  }
  if (seen.state != VmState::kRunning) return std::nullopt;
  row.host = host;
  row.state = seen.state;
  return row;
}

// Only the state: writing the whole row would bring a vm back that was deleted meanwhile.
void Keeper::set_state(const VmRow& vm, VmState state) {
  if (vm.state == state) return;
  const auto written = store_.set_vm_state(vm.id, state, soon());
  if (written || written.error().code == ErrorCode::kNotFound) return;
  log_("warn", fmt::format("event=report_not_written vm={} error=\"{}\"", to_string(vm.id), written.error().message));
}

std::optional<Change> Keeper::change_for_gone(const Picture& picture, std::uint32_t vm) {
  const VmRow row = vm_row(picture, vm);
  if (has_source(picture, vm, "found") || has_source(picture, vm, "nova")) return VmRemoved{row.id, std::nullopt};
  const bool settled = row.state == VmState::kRunning && !is_being_remade(row.id);
  if (has_source(picture, vm, "libvirt") && settled) set_state(row, VmState::kStopped);
  return std::nullopt;
}

void Keeper::domains(const std::string& host, std::span<const DomainSeen> all) {
  const auto picture = pictures_.latest();
  const std::uint32_t host_row_number = picture->find_host(host);
  if (host_row_number == kNoRow) return;  // the next poll comes after its inventory
  std::vector<Change> changes;
  std::set<Uuid> seen_ids;
  for (const DomainSeen& seen : all) {
    seen_ids.insert(seen.id);
    if (auto change = change_for(*picture, host, seen)) changes.push_back(std::move(*change));
  }
  for (const auto& entry : picture->index(Index::kVmsByHost).find(host_row_number)) {
    const auto id = (*picture)[vms::id].get(entry.row);
    if (!id || (*picture)[vms::claim].valid(entry.row) || seen_ids.contains(*id)) continue;
    if (auto change = change_for_gone(*picture, entry.row)) changes.push_back(std::move(*change));
  }
  write(std::move(changes), host);
}

void Keeper::domain_seen(const std::string& host, const DomainSeen& seen) {
  const auto picture = pictures_.latest();
  if (picture->find_host(host) == kNoRow) return;
  if (auto change = change_for(*picture, host, seen)) write({std::move(*change)}, host);
}

void Keeper::domain_gone(const std::string& host, const Uuid& id) {
  const auto picture = pictures_.latest();
  const std::uint32_t vm = picture->find_vm(id);
  if (vm == kNoRow || vm_row(*picture, vm).host != host) return;
  if (auto change = change_for_gone(*picture, vm)) write({std::move(*change)}, host);
}

}  // namespace emplace::observe
