#include "service/observe/keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <tuple>

#include "service/core/act/sighting.h"
#include "service/core/base/shown_text.h"

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

bool has_claim(const Picture& picture, const Uuid& vm) {
  for (const auto& entry : picture.index(Index::kVmsById).find(vm.low())) {
    if (picture[vms::id][entry.row] == vm && picture[vms::claim].valid(entry.row)) return true;
  }
  return false;
}

}  // namespace

// The next poll reports the same again, so nothing is lost.
void Keeper::complain(const std::string& host, const Error& error) {
  log_("warn", fmt::format("event=report_not_written host={} error={}", log_text(host), log_text(error.message)));
}

void Keeper::write(VmReport report) {
  if (report.seen.empty() && report.copies.empty() && report.gone.empty()) return;
  const std::string host = report.host;
  const auto written = store_.vms_seen(std::move(report), soon());
  if (!written) complain(host, written.error());
}

void Keeper::connected(const std::string& host, bool fresh_state, const std::string& identity) {
  log_("info", fmt::format("event=host_connected host={}", log_text(host)));
  roster_.connected(host, identity);
  findings_.replace(host, "unreachable", {});
  if (fresh_state) remake(host);
}

void Keeper::remake(const std::string& host) {
  const auto stored = store_.stored_vms(soon());
  if (!stored) {
    return log_("error",
                fmt::format("event=vms_not_remade host={} error={}", log_text(host), log_text(stored.error().message)));
  }
  std::vector<StartOrder> orders;
  for (const StoredVm& vm : *stored) {
    if (vm.order.claim.host == host && vm.state != VmState::kStopped) orders.push_back(vm.order);
  }
  if (orders.empty()) return;
  log_("info", fmt::format("event=vms_remade_from_store host={} vms={}", log_text(host), orders.size()));
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
      log_("error", fmt::format("event=vm_not_remade host={} vm={} error={}", log_text(order.claim.host),
                                to_string(order.vm.id), log_text(started.error().message)));
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
  log_("warn", fmt::format("event=host_disconnected host={} error={}", log_text(host), log_text(reason)));
  roster_.lost(host);
  findings_.replace(host, "unreachable", {reason});
  for (const char* const seen_by_looking : {"duplicate_vm", "same_hypervisor"})
    findings_.replace(host, seen_by_looking, {});
  lose(host);
}

void Keeper::lose(const std::string& host) {
  if (const auto written = store_.host_lost(host, soon()); !written) complain(host, written.error());
}

// Whether it is another name of a libvirtd that has one; then it takes no vms, and what is on it is seen under the
// other.
bool Keeper::is_second_name(const std::string& host) {
  const std::string first = roster_.same_as(host);
  std::vector<std::string> texts;
  if (!first.empty()) texts.push_back("this is the libvirtd of host " + first + "; it is counted once, there");
  for (const std::string& other : roster_.named_again(host))
    texts.push_back("host " + other + " is the libvirtd of this host; it is counted once, here");
  findings_.replace(host, "same_hypervisor", texts);
  return !first.empty();
}

void Keeper::inventory(const HostRow& seen, const std::vector<std::string>& shared_filesystems) {
  findings_.replace(seen.name, "shared_filesystem", shared_filesystems);
  if (is_second_name(seen.name)) return;
  const auto picture = pictures_.latest();
  const std::uint32_t row = picture->find_host(seen.name);
  if (row != kNoRow) {
    const HostRow known = host_row(*picture, row);
    HostRow next = seen;
    next.state = known.state;
    if (known.state != HostState::kDown && same_report(known, next)) return;
  }
  if (const auto written = store_.host_seen(seen, soon()); !written) complain(seen.name, written.error());
}

void Keeper::consider(const Picture& picture, const DomainSeen& seen, VmReport& report) {
  const std::uint32_t vm = picture.find_vm(seen.id);
  if (is_being_remade(seen.id)) return;
  if (vm == kNoRow) {
    // Only a claim yet: whoever starts it will confirm it.
    if (!has_claim(picture, seen.id)) report.seen.push_back(seen);
    return;
  }
  const VmRow row = vm_row(picture, vm);
  if (row.host == report.host) {
    if (!is_as_seen(row, seen)) report.seen.push_back(seen);
  } else if (seen.state == VmState::kRunning && !roster_.runs(seen.id, row.host)) {
    report.seen.push_back(seen);
    report.arrived.insert(seen.id);
  } else if (seen.state == VmState::kRunning && !roster_.runs_also(seen.id, report.host).empty()) {
    const std::uint32_t copy = picture.find_vm(copy_id(seen.id, report.host));
    if (copy == kNoRow || !is_as_seen(vm_row(picture, copy), seen)) report.copies.push_back(seen);
  }
}

void Keeper::consider_gone(const Picture& picture, const Uuid& id, VmReport& report) {
  const std::uint32_t vm = picture.find_vm(id);
  if (vm == kNoRow || is_being_remade(id) || vm_row(picture, vm).host != report.host) return;
  // Of those that stay when they are gone, a stopped one has nothing to tell.
  const VmRow row = vm_row(picture, vm);
  if (row.source == "libvirt" && row.state != VmState::kRunning && row.state != VmState::kMigrating) return;
  report.gone.push_back(id);
}

// A vm that came to the host while it was looked at may be missing in the list: only what was there before counts.
void Keeper::consider_missing(const Picture& picture, std::span<const DomainSeen> all, VmReport& report) {
  const auto before = roster_.before(report.host);
  const std::uint32_t host = before ? before->find_host(report.host) : kNoRow;
  if (host == kNoRow) return;
  std::set<Uuid> there;
  for (const DomainSeen& seen : all) {
    there.insert(seen.id);
    if (seen.state == VmState::kRunning) there.insert(copy_id(seen.id, report.host));
  }
  // A copy ends where the vm itself is.
  for (const DomainSeen& seen : all) {
    const std::uint32_t vm = picture.find_vm(seen.id);
    if (vm != kNoRow && vm_row(picture, vm).host == report.host) there.erase(copy_id(seen.id, report.host));
  }
  for (const auto& entry : before->index(Index::kVmsByHost).find(host)) {
    const auto id = (*before)[vms::id].get(entry.row);
    if (!id || (*before)[vms::claim].valid(entry.row) || there.contains(*id)) continue;
    consider_gone(picture, *id, report);
  }
}

void Keeper::find_duplicates(const std::string& host, std::span<const DomainSeen> all) {
  std::vector<std::string> texts;
  for (const DomainSeen& seen : all) {
    for (const std::string& other : roster_.runs_also(seen.id, host)) {
      texts.push_back(
          fmt::format("vm {} ({}) also runs on host {}; it counts on both", seen.name, to_string(seen.id), other));
    }
  }
  findings_.replace(host, "duplicate_vm", texts);
}

void Keeper::domains(const std::string& host, std::span<const DomainSeen> all) {
  roster_.list(host, all);
  find_duplicates(host, is_second_name(host) ? std::span<const DomainSeen>() : all);
  const auto picture = pictures_.latest();
  const std::uint32_t row = picture->find_host(host);
  if (row == kNoRow) return;  // the next poll comes after its inventory
  if (!roster_.same_as(host).empty()) {
    if ((*picture)[hosts::state].get(row) == static_cast<std::uint32_t>(HostState::kEnabled)) lose(host);
    return;
  }
  VmReport report{host};
  for (const DomainSeen& seen : all) consider(*picture, seen, report);
  consider_missing(*picture, all, report);
  write(std::move(report));
}

void Keeper::domain_seen(const std::string& host, const DomainSeen& seen) {
  roster_.see(host, seen);
  const auto picture = pictures_.latest();
  if (picture->find_host(host) == kNoRow || !roster_.same_as(host).empty()) return;
  VmReport report{host};
  consider(*picture, seen, report);
  write(std::move(report));
}

void Keeper::domain_gone(const std::string& host, const Uuid& id) {
  roster_.miss(host, id);
  if (!roster_.same_as(host).empty()) return;
  const auto picture = pictures_.latest();
  VmReport report{host};
  consider_gone(*picture, id, report);
  consider_gone(*picture, copy_id(id, host), report);
  write(std::move(report));
}

}  // namespace emplace::observe
