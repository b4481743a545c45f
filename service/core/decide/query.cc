#include "service/core/decide/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "service/core/request/nova_spec.h"

namespace emplace {
namespace {

void sort_unique(std::vector<std::uint32_t>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

// Nova forces and ignores hosts by the names of their services, which may have several, and without regard to case.
void add_rows_without_case(const std::vector<std::string>& names, const Picture& picture,
                           std::vector<std::uint32_t>& rows) {
  std::set<std::string> lower;
  for (const auto& name : names) lower.insert(in_lower_case(name));
  const auto known = picture[hosts::name];
  for (std::uint32_t row = 0; !lower.empty() && row < picture.rows(Table::kHosts); ++row) {
    if (!known.valid(row)) continue;
    if (lower.contains(in_lower_case(known[row])) || lower.contains(in_lower_case(nova_text(picture, row, "host")))) {
      rows.push_back(row);
    }
  }
}

std::uint32_t find_vm_row(const VmRequest& vm, const Picture& picture) {
  if (!vm.id.is_zero()) {
    const std::uint32_t row = picture.find_vm(vm.id);
    if (row != kNoRow) return row;
  }
  const std::uint32_t row = vm.name.empty() ? kNoRow : picture.find_vm_by_name(vm.name);
  // A vm of the same name and another id is another vm; an expected one waits for this.
  const bool is_other =
      row != kNoRow && !vm.id.is_zero() && picture[vms::state][row] != static_cast<std::uint32_t>(VmState::kExpected);
  return is_other ? kNoRow : row;
}

// A row of vms that stands for the vm being placed, be it a claim of it, must not count against it.
bool is_self(const Query& query, std::uint32_t row) {
  if (row == query.vm_row) return true;
  const auto ids = query.picture[vms::id];
  if (!query.vm.id.is_zero()) return ids.get(row) == query.vm.id;
  return query.vm_row != kNoRow && ids.valid(query.vm_row) && ids.get(row) == ids[query.vm_row];
}

// Rows of the group's members that the picture has. A vm that moves has two.
std::set<std::uint32_t> member_rows(const Query& query) {
  const Picture& picture = query.picture;
  std::set<std::uint32_t> rows;
  if (query.group_row != kNoRow) {
    for (const auto& entry : picture.index(Index::kVmsByGroup).find(query.group_row)) rows.insert(entry.row);
  }
  for (const Uuid& member : query.vm.group_told ? query.vm.group_told->members : std::vector<Uuid>()) {
    for (const auto& entry : picture.index(Index::kVmsById).find(member.low())) {
      if (picture[vms::id].get(entry.row) == member) rows.insert(entry.row);
    }
  }
  return rows;
}

// Of the hosts that Nova told, those on which no member is known here have one.
void add_told_hosts(const Query& query, std::vector<std::uint32_t>& member_hosts) {
  const Picture& picture = query.picture;
  const std::set<std::uint32_t> known(member_hosts.begin(), member_hosts.end());
  std::vector<std::uint32_t> told;
  add_rows_without_case(query.vm.group_told->hosts, picture, told);
  sort_unique(told);
  std::ranges::copy_if(told, std::back_inserter(member_hosts), [&](std::uint32_t row) { return !known.contains(row); });
}

// Whether a host's state says that the server groups of its cloud could not be read. All hosts of a cloud say the same,
// and only a group that nobody knows makes anybody ask.
bool are_groups_unread(const Picture& picture) {
  for (std::uint32_t host = 0; host < picture.rows(Table::kHosts); ++host) {
    const std::string_view state = picture[hosts::nova_state].get(host).value_or("");
    if (state.find(json_text(kServerGroups)) != std::string_view::npos && picture[hosts::alive][host] != 0) return true;
  }
  return false;
}

void find_members(Query& query) {
  const Picture& picture = query.picture;
  std::vector<std::uint32_t> member_hosts;
  for (const std::uint32_t row : member_rows(query)) {
    const auto host = picture[vms::host].get(row);
    if (host && !is_self(query, row)) member_hosts.push_back(*host);
  }
  if (query.vm.group_told) add_told_hosts(query, member_hosts);
  std::sort(member_hosts.begin(), member_hosts.end());
  for (const std::uint32_t host : member_hosts) {
    if (query.members.empty() || query.members.back().host != host) query.members.push_back({host, 0});
    ++query.members.back().count;
  }
}

void find_taken_domains(Query& query) {
  const Picture& picture = query.picture;
  const std::uint32_t group = picture.find_code(query.vm.spread.group);
  if (group == kNoRow) return;
  const auto location = picture[query.vm.spread.by == SpreadBy::kRack ? hosts::rack : hosts::zone];
  for (const auto& entry : picture.index(Index::kVmsBySpreadGroup).find(group)) {
    const auto host = picture[vms::host].get(entry.row);
    const bool same_domain =
        picture.text(picture[vms::spread_domain].get(entry.row).value_or(kNoRow)) == query.vm.spread.domain;
    if (!host || same_domain || is_self(query, entry.row)) continue;
    if (const auto code = location.get(*host)) {
      query.taken_domains.push_back(*code);
    } else {
      query.taken_hosts.push_back(*host);
    }
  }
  sort_unique(query.taken_domains);
  sort_unique(query.taken_hosts);
}

// Where a vm is, or where a claim holds its room: of several claims of its name the one with the least id.
std::uint32_t place_of(const Picture& picture, std::uint32_t vm) {
  if (const auto host = picture[vms::host].get(vm)) return *host;
  const auto claims = picture[vms::claim];
  const auto ids = picture[vms::id];
  const std::string_view name = picture[vms::name][vm];
  std::uint32_t least = kNoRow;
  for (const auto& [key, row] : picture.index(Index::kVmsByName).find(text_key(name))) {
    const bool is_its = claims.valid(row) && picture[vms::name][row] == name && (!ids.valid(vm) || ids[row] == ids[vm]);
    if (is_its && (least == kNoRow || claims[row] < claims[least])) least = row;
  }
  return least == kNoRow ? kNoRow : picture[vms::host].get(least).value_or(kNoRow);
}

void find_peers(Query& query) {
  const Picture& picture = query.picture;
  for (const auto& entry : picture.index(Index::kTrafficByVm).find(query.vm_row)) {
    const std::uint32_t a = picture[traffic::a][entry.row];
    const std::uint32_t b = picture[traffic::b][entry.row];
    if (a == b) continue;
    const std::uint32_t peer = a == query.vm_row ? b : a;
    query.peers.push_back({peer, place_of(picture, peer), picture[traffic::bytes_per_s][entry.row]});
  }
  for (const auto& entry : picture.index(Index::kDataSourcesByVm).find(query.vm_row)) {
    query.data_sources.push_back(
        {picture[data_sources::source][entry.row], picture[data_sources::bytes_per_s][entry.row]});
  }
  // The order of a sum is part of its bits, and row numbers may differ between a picture and its replay.
  std::sort(query.peers.begin(), query.peers.end(),
            [&](const Peer& x, const Peer& y) { return picture[vms::name][x.vm] < picture[vms::name][y.vm]; });
  std::sort(query.data_sources.begin(), query.data_sources.end(),
            [&](const DataSource& x, const DataSource& y) { return picture.text(x.source) < picture.text(y.source); });
}

// The name that Nova has for a host beside its service's.
std::string node_of(const Picture& picture, std::uint32_t host) {
  std::string node = nova_text(picture, host, "nodename");
  return node.empty() ? std::string(picture[hosts::name][host]) : node;
}

std::vector<std::uint32_t> all_hosts(const Picture& picture) {
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < picture.rows(Table::kHosts); ++row) {
    if (picture[hosts::alive].get(row) == std::uint8_t{1}) rows.push_back(row);
  }
  return rows;
}

// Rising rows of the named hosts.
Result<std::vector<std::uint32_t>> host_rows(const std::vector<std::string>& names, const Picture& picture,
                                             std::string_view field, bool from_nova) {
  std::vector<std::uint32_t> rows;
  std::vector<std::string> unknown;
  for (const auto& name : names) {
    const std::uint32_t row = picture.find_host(name);
    if (row == kNoRow) unknown.push_back(name);
    if (row != kNoRow) rows.push_back(row);
  }
  if (from_nova) {
    add_rows_without_case(unknown, picture, rows);
  } else if (!unknown.empty() && !field.empty()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("{}: wanted the name of a host, found \"{}\"", field, unknown.front()));
  }
  sort_unique(rows);
  return rows;
}

// What the request says of a group is newer than the picture.
Result<void> bind_group(Query& query) {
  const VmRequest& vm = query.vm;
  const Picture& picture = query.picture;
  if (const std::string name = group_name(vm, picture); !name.empty()) query.group_row = picture.find_group(name);
  if (vm.group_told) {
    query.group = GroupRule{vm.group_told->policy, vm.group_told->max_per_host};
  } else if (query.group_row != kNoRow) {
    query.group = GroupRule{static_cast<GroupPolicy>(picture[groups::policy][query.group_row]),
                            picture[groups::max_per_host].get(query.group_row).value_or(1)};
  } else if (!vm.group.empty()) {
    query.group_unread = are_groups_unread(picture);
    if (query.group_unread) return {};
    return fail(ErrorCode::kInvalid, fmt::format("vm.group: wanted the name of a group, found \"{}\"", vm.group));
  }
  if (query.group) find_members(query);
  return {};
}

}  // namespace

std::string group_name(const VmRequest& vm, const Picture& picture) {
  if (!vm.group_told) return vm.group;
  std::string name = to_string(vm.group_told->id);
  return picture.find_group(name) == kNoRow ? std::string() : name;
}

Result<Query> bind(const PlacementRequest& request, const VmRequest& vm, const Picture& picture, std::int64_t now_us) {
  Query query{request, vm, picture, now_us};
  query.identity = std::make_shared<char>();
  query.vm_row = find_vm_row(vm, picture);
  if (auto known = bind_group(query); !known) return tl::unexpected(known.error());
  const bool from_nova = !vm.nova_spec.empty();
  // Nova may force a host that this picture does not know: then none may be considered, which is an answer.
  if (!vm.only_hosts.empty()) {
    auto only = host_rows(vm.only_hosts, picture, "vm.only_hosts", from_nova);
    if (!only) return tl::unexpected(only.error());
    query.only_hosts = std::move(*only);
  }
  if (!vm.only_nodes.empty()) {
    if (!query.only_hosts) query.only_hosts = all_hosts(picture);
    std::erase_if(*query.only_hosts, [&](std::uint32_t row) {
      return std::ranges::find(vm.only_nodes, node_of(picture, row)) == vm.only_nodes.end();
    });
  }
  // A host that is gone can't be chosen either.
  if (!vm.ignore_hosts.empty()) query.ignored_hosts = *host_rows(vm.ignore_hosts, picture, "", from_nova);
  if (!vm.zone.empty()) query.zone_code = picture.find_code(vm.zone);
  for (const auto& trait : vm.traits) query.trait_codes.push_back(picture.find_code(trait));
  for (const auto& trait : vm.forbidden_traits) query.forbidden_codes.push_back(picture.find_code(trait));
  if (vm.spread.by != SpreadBy::kNone) find_taken_domains(query);
  if (query.vm_row != kNoRow) find_peers(query);
  return query;
}

}  // namespace emplace
