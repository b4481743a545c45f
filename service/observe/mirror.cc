#include "service/observe/mirror.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <tuple>
#include <unordered_set>

#include "service/core/base/shown_text.h"
#include "service/core/change/nova_state.h"
#include "service/core/change/takes.h"

namespace emplace::observe {
namespace {

constexpr std::string_view kLibvirt = "libvirt";
constexpr std::size_t kRowsAWrite = 2000;  // other writers wait for a transaction
constexpr std::size_t kFew = 2;            // rows that may always go

Deadline half_a_minute() { return std::chrono::steady_clock::now() + std::chrono::seconds(30); }

std::vector<std::string> sorted(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  return names;
}

bool same(const HostRow& a, const HostRow& b) {
  const auto key = [](const HostRow& h) {
    return std::tie(h.source, h.zone, h.state, h.vcpus, h.memory_mib, h.disk_gib, h.vcpus_reserved,
                    h.memory_reserved_mib, h.disk_reserved_gib, h.cpu_allocation_ratio, h.ram_allocation_ratio,
                    h.disk_allocation_ratio, h.nova_state);
  };
  return key(a) == key(b) && sorted(a.aggregates) == sorted(b.aggregates) && sorted(a.traits) == sorted(b.traits);
}

bool same(const VmRow& a, const VmRow& b) {
  const auto key = [](const VmRow& v) {
    return std::tie(v.name, v.host, v.state, v.source, v.project, v.group, v.vcpus, v.memory_mib, v.disk_gib, v.takes);
  };
  return key(a) == key(b);
}

bool has_amounts(const HostRow& host) { return host.vcpus > 0 || host.memory_mib > 0; }

bool says_disabled(const HostRow& host) { return host.nova_state.find("\"disabled\":true") != std::string::npos; }

// Maintenance is an operator's word, and so is a disabling that was not Nova's: they stay until the operator says
// otherwise.
HostState state_of(const HostRow& seen, const HostRow& known) {
  if (known.state == HostState::kMaintenance) return known.state;
  const bool disabled_here = known.state == HostState::kDisabled && !says_disabled(known);
  return disabled_here ? known.state : seen.state;
}

HostRow merged(const HostRow& seen, const HostRow& known) {
  HostRow next = seen;
  next.state = state_of(seen, known);
  next.rack = known.rack;
  next.cells = known.cells;
  next.cpu_util = known.cpu_util;
  next.memory_used_observed_mib = known.memory_used_observed_mib;
  next.power_watts = known.power_watts;
  next.observed_at_us = known.observed_at_us;
  return next;
}

// `groups`: the cloud told of server groups; else what was known of the vm's stays.
VmRow merged(const VmRow& seen, const VmRow& known, bool groups) {
  VmRow next = seen;
  if (!groups) next.group = known.group;
  next.numa_nodes = known.numa_nodes;
  next.cells = known.cells;
  next.takes = with_resources_of(known.host == seen.host ? known.takes : "", seen.takes);
  next.spread = known.spread;
  return next;
}

void compare_aggregates(const Picture& picture, const std::vector<AggregateRow>& seen,
                        const std::set<std::string>& ours, Difference& to) {
  std::set<std::string_view> names;
  for (const AggregateRow& row : seen) {
    names.insert(row.name);
    const std::uint32_t known = picture.find_aggregate(row.name);
    const auto metadata = known == kNoRow ? std::nullopt : picture[aggregates::metadata].get(known);
    if (known != kNoRow && metadata_from_json(metadata.value_or("{}")) == row.metadata) continue;
    to.named.push_back(row);
  }
  for (const std::string& name : ours) {
    if (!names.contains(name) && picture.find_aggregate(name) != kNoRow) to.gone.push_back(AggregateRemoved{name});
  }
}

void compare_groups(const Picture& picture, const std::vector<GroupRow>& seen, const std::set<std::string>& ours,
                    Difference& to) {
  std::set<std::string_view> names;
  for (const GroupRow& row : seen) {
    names.insert(row.name);
    const std::uint32_t known = picture.find_group(row.name);
    if (known != kNoRow) {
      const GroupRow old = group_row(picture, known);
      if (old.policy == row.policy && old.max_per_host == row.max_per_host) continue;
    }
    to.named.push_back(row);
  }
  for (const std::string& name : ours) {
    if (!names.contains(name) && picture.find_group(name) != kNoRow) to.gone.push_back(GroupRemoved{name});
  }
}

void compare_hosts(const Picture& picture, const std::vector<HostRow>& seen, Difference& to) {
  std::set<std::string_view> names;
  for (const HostRow& row : seen) {
    names.insert(row.name);
    const std::uint32_t known = picture.find_host(row.name);
    if (known == kNoRow) {
      to.named.push_back(row);
      continue;
    }
    const HostRow old = host_row(picture, known);
    if (old.source == kLibvirt) {
      to.hosts_refused.insert(row.name);
      continue;
    }
    if (has_amounts(old) && !has_amounts(row)) ++to.hosts_emptied;
    HostRow next = merged(row, old);
    HostRow stored = next;  // the store keeps what was pushed, by then perhaps something else
    stored.nova_state = keep_pushed(next.nova_state, old.nova_state);
    if (!same(stored, old)) to.named.push_back(std::move(next));
  }
  const std::uint32_t cloud = picture.find_code(kCloudSource);
  for (std::uint32_t row = 0; cloud != kNoRow && row < picture.rows(Table::kHosts); ++row) {
    if (picture[hosts::source].get(row) != cloud) continue;
    ++to.hosts_known;
    const std::string_view name = picture[hosts::name][row];
    if (names.contains(name)) continue;
    to.gone.push_back(HostRemoved{std::string(name)});
    ++to.hosts_gone;
  }
}

void compare_vms(const Picture& picture, const CloudReport& report, Difference& to) {
  std::set<Uuid> ids;
  for (const VmRow& row : *report.vms) {
    ids.insert(ids.end(), row.id);
    const std::uint32_t known = picture.find_vm(row.id);
    if (known == kNoRow) {
      to.vms.push_back(row);
      continue;
    }
    const VmRow old = vm_row(picture, known);
    VmRow next = merged(row, old, report.groups.has_value());
    if (!same(next, old)) to.vms.push_back(std::move(next));
  }
  const std::uint32_t cloud = picture.find_code(kCloudSource);
  for (std::uint32_t row = 0; cloud != kNoRow && row < picture.rows(Table::kVms); ++row) {
    if (picture[vms::source].get(row) != cloud || picture[vms::claim].valid(row)) continue;
    ++to.vms_known;
    const Uuid id = picture[vms::id][row];
    if (ids.contains(id)) continue;
    to.vms.push_back(VmRemoved{id, std::nullopt});
    if (!report.deleted_vms.contains(id)) ++to.vms_gone;
  }
  // Allocations come and go: the brake is for vms.
  const std::uint32_t placement = picture.find_code(kAllocationSource);
  for (std::uint32_t row = 0; placement != kNoRow && row < picture.rows(Table::kVms); ++row) {
    if (picture[vms::source].get(row) != placement || picture[vms::claim].valid(row)) continue;
    const Uuid id = picture[vms::id][row];
    if (!ids.contains(id)) to.vms.push_back(VmRemoved{id, std::nullopt});
  }
}

struct Share {
  std::string_view whose, what;
  std::size_t gone, known;
};

Result<void> check_share(const Share& share, double percent) {
  const auto [whose, what, gone, known] = share;
  if (gone <= kFew || static_cast<double>(gone) * 100 <= static_cast<double>(known) * percent) return {};
  return fail(ErrorCode::kConflict,
              fmt::format("brake: {} lists {} of {} {} no more, over {} %: the old picture is kept (if they are "
                          "really gone, set [openstack] brake_percent = 100 and restart)",
                          whose, gone, known, what, percent),
              "emplace.brake");
}

}  // namespace

CloudNames names_in(const Picture& picture) {
  CloudNames names;
  const std::uint32_t cloud = picture.find_code(kCloudSource);
  for (std::uint32_t row = 0; cloud != kNoRow && row < picture.rows(Table::kHosts); ++row) {
    if (picture[hosts::source].get(row) != cloud) continue;
    for (const std::string& name : host_row(picture, row).aggregates) names.aggregates.insert(name);
  }
  for (std::uint32_t row = 0; cloud != kNoRow && row < picture.rows(Table::kVms); ++row) {
    if (picture[vms::source].get(row) != cloud) continue;
    if (std::string group = vm_row(picture, row).group; !group.empty()) names.groups.insert(std::move(group));
  }
  return names;
}

Difference difference(const Picture& picture, const CloudReport& report, const CloudNames& ours) {
  Difference found;
  if (report.hosts) compare_hosts(picture, *report.hosts, found);
  if (report.groups) compare_groups(picture, *report.groups, ours.groups, found);
  if (report.aggregates) compare_aggregates(picture, *report.aggregates, ours.aggregates, found);
  if (report.vms) compare_vms(picture, report, found);
  return found;
}

Result<void> check_brake(const Difference& difference, double percent) {
  const Share shares[] = {{"OpenStack", "hosts", difference.hosts_gone, difference.hosts_known},
                          {"Placement", "hosts' inventories", difference.hosts_emptied, difference.hosts_known},
                          {"OpenStack", "vms", difference.vms_gone, difference.vms_known}};
  for (const Share& share : shares) {
    if (auto fits = check_share(share, percent); !fits) return fits;
  }
  return {};
}

std::vector<Uuid> ended_reservations(const Picture& picture, const std::vector<VmRow>& seen) {
  std::vector<Uuid> ended;
  for (const VmRow& vm : seen) {
    const std::uint32_t row = picture.find_claim(vm.id, vm.id);
    if (row == kNoRow || vm.host.empty()) continue;
    const auto host = picture[vms::host].get(row);
    const bool arrived = host && picture[hosts::name][*host] == vm.host;
    if (arrived || picture.find_vm(vm.id) == kNoRow) ended.push_back(vm.id);
  }
  return ended;
}

Result<void> Mirror::write(std::vector<Change> changes) {
  std::int64_t last_seq = 0;
  for (std::size_t at = 0; at < changes.size(); at += kRowsAWrite) {
    const auto first = changes.begin() + static_cast<std::ptrdiff_t>(at);
    const auto last = first + static_cast<std::ptrdiff_t>(std::min(kRowsAWrite, changes.size() - at));
    const auto written = store_.write({std::make_move_iterator(first), std::make_move_iterator(last)}, std::nullopt,
                                      std::nullopt, half_a_minute());
    if (!written) return tl::unexpected(written.error());
    last_seq = written->event_seq;
  }
  // The next report is compared with a picture that has it.
  if (last_seq != 0) pictures_.wait_for(last_seq, half_a_minute());
  return {};
}

void Mirror::confirm_claims(const Picture& picture, const std::vector<VmRow>& vms) {
  for (const VmRow& vm : vms) {
    for (const auto& entry : picture.index(Index::kVmsById).find(vm.id.low())) {
      const auto claim = picture[vms::claim].get(entry.row);
      const auto host = picture[vms::host].get(entry.row);
      if (!claim || !host || picture[vms::id][entry.row] != vm.id || picture[hosts::name][*host] != vm.host) continue;
      if (*claim == vm.id) continue;  // a reservation
      const auto confirmed = store_.confirm(*claim, vm.state, half_a_minute());
      if (confirmed || confirmed.error().code != ErrorCode::kUnavailable) continue;
      log_("warn", fmt::format("event=claim_not_confirmed claim={} error={}", to_string(*claim),
                               log_text(confirmed.error().message)));
    }
  }
  auto ended = ended_reservations(picture, vms);
  if (ended.empty()) return;
  if (const auto released = store_.release(std::move(ended), half_a_minute()); !released)
    log_("warn", fmt::format("event=reservations_not_released error={}", log_text(released.error().message)));
}

void Mirror::complain(const std::set<std::string>& hosts_refused) {
  if (hosts_refused == hosts_refused_) return;
  hosts_refused_ = hosts_refused;
  for (const std::string& name : hosts_refused) {
    log_("error",
         fmt::format("event=openstack_host_refused host={} error=\"a libvirt host has that name, and stays: name "
                     "each host in one place, and delete the row of one that is no more\"",
                     log_text(name)));
  }
}

Result<void> Mirror::take(const CloudReport& report) {
  const auto picture = pictures_.latest();
  if (!ours_) ours_ = names_in(*picture);
  Difference found = difference(*picture, report, *ours_);
  complain(found.hosts_refused);
  if (auto brake = check_brake(found, brake_percent_); !brake) return brake;
  const std::size_t rows = found.named.size() + found.vms.size() + found.gone.size();
  const auto written =
      write(std::move(found.named)).and_then([&] { return write(std::move(found.vms)); }).and_then([&] {
        return write(std::move(found.gone));
      });
  if (!written) return written;
  if (report.vms) confirm_claims(*picture, *report.vms);
  if (report.aggregates) {
    ours_->aggregates.clear();
    for (const AggregateRow& row : *report.aggregates) ours_->aggregates.insert(row.name);
  }
  if (report.groups) {
    ours_->groups.clear();
    for (const GroupRow& row : *report.groups) ours_->groups.insert(row.name);
  }
  if (rows > 0)
    log_("info", fmt::format("event=openstack_taken rows={} hosts_gone={} vms_gone={}", rows, found.hosts_gone,
                             found.vms_gone));
  return {};
}

}  // namespace emplace::observe
