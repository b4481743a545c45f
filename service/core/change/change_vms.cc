// Vms, and what is known of them by name: traffic, data sources, page samples. Names may be shared (Nova's often are);
// what is known of a name belongs to one row, its holder: of the vms with that name the one with the least id, those
// that are only expected last. So it depends on the rows that there are, and not on the order in which they came.
#include <algorithm>
#include <tuple>
#include <utility>

#include "service/core/change/change_steps.h"
#include "service/core/change/takes.h"

namespace emplace::steps {
namespace {

// ---- what a vm takes of its host

struct Use {
  std::optional<std::uint32_t> host = {};
  double vcpus = 0, memory_mib = 0, disk_gib = 0;
  std::int64_t cells = 0;
  std::string takes = {};
  bool operator==(const Use&) const = default;
};

Use use_of(const PictureBuilder& picture, std::uint32_t vm) {
  return {picture.get(vms::host, vm),
          picture.get(vms::vcpus, vm).value_or(0),
          picture.get(vms::memory_mib, vm).value_or(0),
          picture.get(vms::disk_gib, vm).value_or(0),
          picture.get(vms::cells, vm).value_or(0),
          picture.get_text(vms::takes, vm)};
}

void add(PictureBuilder& picture, Column<double> column, std::uint32_t row, double amount) {
  picture.set(column, row, picture.get(column, row).value_or(0) + amount);
}

void add_resources(PictureBuilder& picture, const Use& use, double sign) {
  const ResourceAmounts takes = resources_in(use.takes);
  if (takes.empty()) return;
  ResourceAmounts used = resource_amounts(picture.get_text(hosts::resources_used, *use.host));
  for (const auto& [name, amount] : takes) used[name] += sign * amount;
  for (const auto& [name, amount] :
       {std::pair("VCPU", use.vcpus), std::pair("MEMORY_MB", use.memory_mib), std::pair("DISK_GB", use.disk_gib)}) {
    if (takes.contains(name)) used[name] -= sign * amount;
  }
  const std::string text = to_text(used);
  if (text.empty()) return picture.clear(hosts::resources_used, *use.host);
  picture.set(hosts::resources_used, *use.host, text);
}

// Takes (sign 1) or gives back (-1). Amounts are whole numbers, so this is exact.
void take(PictureBuilder& picture, const Use& use, double sign) {
  if (!use.host) return;
  add(picture, hosts::vcpus_used, *use.host, sign * use.vcpus);
  add(picture, hosts::memory_used_mib, *use.host, sign * use.memory_mib);
  add(picture, hosts::disk_used_gib, *use.host, sign * use.disk_gib);
  add(picture, hosts::vm_count, *use.host, sign);
  add_resources(picture, use, sign);
}

// To be called when the vm's columns and the index of vms by host say what is now.
void replace_use(PictureBuilder& picture, const Use& before, const Use& after) {
  if (before == after) return;
  take(picture, before, -1);
  take(picture, after, 1);
  for (const Use& use : {before, after}) {
    if (!use.host) continue;
    update_free(picture, *use.host);
    if (use.cells != 0) update_cells(picture, *use.host);
  }
}

// ---- edges and their indices

// Traffic has no direction.
std::uint64_t ends_key(std::uint32_t a, std::uint32_t b) { return pair_key(std::min(a, b), std::max(a, b)); }

// Calls edit(index, key) for each entry of an edge.
template <typename Edit>
void for_each_traffic_key(const PictureBuilder& picture, std::uint32_t edge, Edit&& edit) {
  const std::uint32_t a = *picture.get(traffic::a, edge), b = *picture.get(traffic::b, edge);
  edit(Index::kTrafficByVm, a);
  edit(Index::kTrafficByVm, b);
  edit(Index::kTrafficByEnds, ends_key(a, b));
}

void index_traffic(PictureBuilder& picture, std::uint32_t edge) {
  for_each_traffic_key(picture, edge, [&](Index which, std::uint64_t key) { picture.index(which, key, edge); });
}

void unindex_traffic(PictureBuilder& picture, std::uint32_t edge) {
  for_each_traffic_key(picture, edge, [&](Index which, std::uint64_t key) { picture.unindex(which, key, edge); });
}

void index_data_source(PictureBuilder& picture, std::uint32_t edge) {
  const std::uint32_t vm = *picture.get(data_sources::vm, edge);
  picture.index(Index::kDataSourcesByVm, vm, edge);
  picture.index(Index::kDataSourcesByEnds, pair_key(vm, *picture.get(data_sources::source, edge)), edge);
}

void unindex_data_source(PictureBuilder& picture, std::uint32_t edge) {
  const std::uint32_t vm = *picture.get(data_sources::vm, edge);
  picture.unindex(Index::kDataSourcesByVm, vm, edge);
  picture.unindex(Index::kDataSourcesByEnds, pair_key(vm, *picture.get(data_sources::source, edge)), edge);
}

std::uint32_t only_row(std::span<const RowIndex::Entry> entries) {
  return entries.empty() ? kNoRow : entries.front().row;
}

std::uint32_t find_traffic(const PictureBuilder& picture, std::uint32_t a, std::uint32_t b) {
  return only_row(picture.find(Index::kTrafficByEnds, ends_key(a, b)));
}

std::uint32_t find_data_source(const PictureBuilder& picture, std::uint32_t vm, std::uint32_t source) {
  return only_row(picture.find(Index::kDataSourcesByEnds, pair_key(vm, source)));
}

// ---- names and their holders

bool is_claim(const PictureBuilder& picture, std::uint32_t vm) { return picture.get(vms::claim, vm).has_value(); }

// Made here for what is known of a name that no vm has. Such a row has no id; an imported vm that is expected has one.
bool is_made_up(const PictureBuilder& picture, std::uint32_t vm) { return !picture.get(vms::id, vm).has_value(); }

// What the holder of a name has least of.
std::tuple<bool, bool, Uuid> order_of(const PictureBuilder& picture, std::uint32_t vm) {
  const bool is_expected = picture.get(vms::state, vm) == static_cast<std::uint32_t>(VmState::kExpected);
  return {is_expected, is_made_up(picture, vm), picture.get(vms::id, vm).value_or(Uuid{})};
}

// Calls `see` with the vms of a name. It must not touch the index of names.
template <typename See>
void for_each_named(const PictureBuilder& picture, std::string_view name, See&& see) {
  for (const auto& entry : picture.find(Index::kVmsByName, text_key(name))) {
    if (picture.is_text(vms::name, entry.row, name) && !is_claim(picture, entry.row)) see(entry.row);
  }
}

std::uint32_t holder_of(const PictureBuilder& picture, std::string_view name) {
  std::uint32_t holder = kNoRow;
  for_each_named(picture, name, [&](std::uint32_t vm) {
    if (holder == kNoRow || order_of(picture, vm) < order_of(picture, holder)) holder = vm;
  });
  return holder;
}

std::uint32_t add_vm(PictureBuilder& picture, std::string_view name) {
  const std::uint32_t vm = picture.add_row(Table::kVms);
  picture.set(vms::name, vm, name);
  picture.set(vms::state, vm, static_cast<std::uint32_t>(VmState::kExpected));
  picture.index(Index::kVmsByName, text_key(name), vm);
  return vm;
}

std::uint32_t holder_or_expected(PictureBuilder& picture, std::string_view name) {
  const std::uint32_t holder = holder_of(picture, name);
  return holder != kNoRow ? holder : add_vm(picture, name);
}

bool is_known(const PictureBuilder& picture, std::uint32_t vm) {
  return !picture.find(Index::kTrafficByVm, vm).empty() || !picture.find(Index::kDataSourcesByVm, vm).empty() ||
         picture.get(vms::pages, vm).has_value();
}

void remove_vm_row(PictureBuilder& picture, std::uint32_t vm) {
  picture.unindex(Index::kVmsByName, text_key(picture.get_text(vms::name, vm)), vm);
  picture.remove_row(Table::kVms, vm);
}

void drop_if_unneeded(PictureBuilder& picture, std::uint32_t vm) {
  if (is_made_up(picture, vm) && !is_known(picture, vm)) remove_vm_row(picture, vm);
}

void move_samples(PictureBuilder& picture, std::uint32_t from, std::uint32_t to) {
  if (!picture.get(vms::pages, from)) return;
  for (const auto column : {vms::pages, vms::zero_pages, vms::distinct_pages}) {
    picture.set(column, to, *picture.get(column, from));
    picture.clear(column, from);
  }
  picture.set(vms::sample_rate, to, *picture.get(vms::sample_rate, from));
  picture.clear(vms::sample_rate, from);
  picture.copy(vms::page_samples, from, to);
  picture.clear(vms::page_samples, from);
}

// All that is known of one row becomes known of another, of which nothing is.
void move_known(PictureBuilder& picture, std::uint32_t from, std::uint32_t to) {
  for (const std::uint32_t edge : rows_of(picture, Index::kTrafficByVm, from)) {
    const std::uint32_t a = *picture.get(traffic::a, edge), b = *picture.get(traffic::b, edge);
    unindex_traffic(picture, edge);
    picture.set(traffic::a, edge, a == from ? to : a);
    picture.set(traffic::b, edge, b == from ? to : b);
    index_traffic(picture, edge);
  }
  for (const std::uint32_t edge : rows_of(picture, Index::kDataSourcesByVm, from)) {
    unindex_data_source(picture, edge);
    picture.set(data_sources::vm, edge, to);
    index_data_source(picture, edge);
  }
  move_samples(picture, from, to);
}

// Gives what is known of a name to its holder, after the vms of that name have changed.
void settle(PictureBuilder& picture, std::string_view name) {
  const std::uint32_t holder = holder_of(picture, name);
  std::vector<std::uint32_t> others;
  for_each_named(picture, name, [&](std::uint32_t vm) {
    if (vm != holder) others.push_back(vm);
  });
  for (const std::uint32_t vm : others) {
    move_known(picture, vm, holder);
    drop_if_unneeded(picture, vm);
  }
}

void rename(PictureBuilder& picture, std::uint32_t vm, std::string_view name) {
  const std::string old = picture.get_text(vms::name, vm);
  picture.unindex(Index::kVmsByName, text_key(old), vm);
  picture.set(vms::name, vm, name);
  picture.index(Index::kVmsByName, text_key(name), vm);
  if (is_known(picture, vm)) move_known(picture, vm, holder_or_expected(picture, old));
}

// ---- rows of vms

std::uint32_t find_vm(const PictureBuilder& picture, const Uuid& id, const std::optional<Uuid>& claim) {
  for (const auto& entry : picture.find(Index::kVmsById, id.low())) {
    if (picture.get(vms::id, entry.row) == id && picture.get(vms::claim, entry.row) == claim) return entry.row;
  }
  return kNoRow;
}

std::uint32_t add_for(PictureBuilder& picture, const VmRow& row) {
  const std::uint32_t holder = row.claim ? kNoRow : holder_of(picture, row.name);
  const bool adopted = holder != kNoRow && is_made_up(picture, holder);
  const std::uint32_t vm = adopted ? holder : add_vm(picture, row.name);
  picture.set(vms::id, vm, row.id);
  picture.index(Index::kVmsById, row.id.low(), vm);
  if (row.claim) picture.set(vms::claim, vm, *row.claim);
  return vm;
}

std::uint32_t find_or_add(PictureBuilder& picture, const VmRow& row) {
  const std::uint32_t known = find_vm(picture, row.id, row.claim);
  if (known == kNoRow) return add_for(picture, row);
  if (!picture.is_text(vms::name, known, row.name)) rename(picture, known, row.name);
  return known;
}

std::optional<std::uint32_t> row_named(const PictureBuilder& picture, Index which, Column<Utf8> column,
                                       std::string_view name) {
  const std::uint32_t row = name.empty() ? kNoRow : find_named(picture, which, column, name);
  return row == kNoRow ? std::nullopt : std::optional(row);
}

std::int64_t cell_mask(const std::vector<std::uint32_t>& cells) {
  std::uint64_t mask = 0;
  for (const std::uint32_t cell : cells) mask |= cell < 64 ? std::uint64_t{1} << cell : 0;
  return static_cast<std::int64_t>(mask);
}

// Most vms have none: nothing is written for them.
void set_takes(PictureBuilder& picture, std::uint32_t vm, std::string_view takes) {
  if (picture.get_text(vms::takes, vm) == takes) return;
  if (takes.empty()) return picture.clear(vms::takes, vm);
  picture.set(vms::takes, vm, takes);
}

// Out of all indices but the one by name.
void unindex(PictureBuilder& picture, std::uint32_t vm) {
  set_key(picture, Index::kVmsByHost, vms::host, vm, std::nullopt);
  set_key(picture, Index::kVmsByGroup, vms::group, vm, std::nullopt);
  set_key(picture, Index::kVmsBySpreadGroup, vms::spread_group, vm, std::nullopt);
  picture.unindex(Index::kVmsById, picture.get(vms::id, vm)->low(), vm);
}

// A removed vm of whose name something is known waits, as expected, for a vm of that name.
void make_expected(PictureBuilder& picture, std::uint32_t vm) {
  for (const auto column : {vms::source, vms::project, vms::numa_nodes, vms::spread_by, vms::spread_domain}) {
    picture.clear(column, vm);
  }
  for (const auto column : {vms::vcpus, vms::memory_mib, vms::disk_gib, vms::vcpus_max, vms::memory_max_mib}) {
    picture.clear(column, vm);
  }
  picture.clear(vms::failure, vm);
  picture.clear(vms::id, vm);
  picture.clear(vms::cells, vm);
  set_takes(picture, vm, "");
  picture.set(vms::state, vm, static_cast<std::uint32_t>(VmState::kExpected));
}

// What is seldom known; a value that is there already is not written again.
void set_reported(PictureBuilder& picture, std::uint32_t vm, const VmRow& row) {
  if (row.failure.empty()) {
    if (!picture.get_text(vms::failure, vm).empty()) picture.clear(vms::failure, vm);
  } else {
    picture.set(vms::failure, vm, row.failure);
  }
  for (const auto& [column, value] :
       {std::pair(vms::vcpus_max, row.vcpus_max), std::pair(vms::memory_max_mib, row.memory_max_mib)}) {
    if (value > 0) picture.set(column, vm, value);
    if (value <= 0 && picture.get(column, vm)) picture.clear(column, vm);
  }
}

// ---- edges that come and go

std::uint32_t add_traffic(PictureBuilder& picture, std::uint32_t a, std::uint32_t b) {
  const std::uint32_t edge = picture.add_row(Table::kTraffic);
  picture.set(traffic::a, edge, a);
  picture.set(traffic::b, edge, b);
  index_traffic(picture, edge);
  return edge;
}

void remove_traffic(PictureBuilder& picture, std::uint32_t a, std::uint32_t b) {
  const std::uint32_t edge = find_traffic(picture, a, b);
  if (edge == kNoRow) return;
  unindex_traffic(picture, edge);
  picture.remove_row(Table::kTraffic, edge);
  drop_if_unneeded(picture, a);
  if (a != b) drop_if_unneeded(picture, b);
}

std::uint32_t add_data_source(PictureBuilder& picture, std::uint32_t vm, std::uint32_t source) {
  const std::uint32_t edge = picture.add_row(Table::kDataSources);
  picture.set(data_sources::vm, edge, vm);
  picture.set(data_sources::source, edge, source);
  index_data_source(picture, edge);
  return edge;
}

void remove_data_source(PictureBuilder& picture, std::uint32_t vm, std::uint32_t source) {
  const std::uint32_t edge = find_data_source(picture, vm, source);
  if (edge == kNoRow) return;
  unindex_data_source(picture, edge);
  picture.remove_row(Table::kDataSources, edge);
  drop_if_unneeded(picture, vm);
}

}  // namespace

void apply_row(PictureBuilder& picture, const VmRow& row) {
  const std::uint32_t vm = find_or_add(picture, row);
  const Use before = use_of(picture, vm);
  picture.set(vms::state, vm, static_cast<std::uint32_t>(row.state));
  set_or_clear(picture, vms::source, vm, code_of(picture, row.source));
  set_or_clear(picture, vms::project, vm, code_of(picture, row.project));
  set_key(picture, Index::kVmsByHost, vms::host, vm, row_named(picture, Index::kHostsByName, hosts::name, row.host));
  set_key(picture, Index::kVmsByGroup, vms::group, vm,
          row_named(picture, Index::kGroupsByName, groups::name, row.group));
  picture.set(vms::vcpus, vm, row.vcpus);
  picture.set(vms::memory_mib, vm, row.memory_mib);
  picture.set(vms::disk_gib, vm, row.disk_gib);
  picture.set(vms::numa_nodes, vm, row.numa_nodes);
  picture.set(vms::cells, vm, cell_mask(row.cells));
  picture.set(vms::spread_by, vm, static_cast<std::uint32_t>(row.spread.by));
  set_key(picture, Index::kVmsBySpreadGroup, vms::spread_group, vm, code_of(picture, row.spread.group));
  set_or_clear(picture, vms::spread_domain, vm, code_of(picture, row.spread.domain));
  set_reported(picture, vm, row);
  set_takes(picture, vm, row.takes);
  replace_use(picture, before, use_of(picture, vm));
  if (!row.claim) settle(picture, row.name);
}

void apply_row(PictureBuilder& picture, const VmRemoved& removed) {
  const std::uint32_t vm = find_vm(picture, removed.id, removed.claim);
  if (vm == kNoRow) return;
  const Use before = use_of(picture, vm);
  unindex(picture, vm);
  replace_use(picture, before, {});
  if (!is_known(picture, vm)) return remove_vm_row(picture, vm);
  make_expected(picture, vm);
  settle(picture, picture.get_text(vms::name, vm));
}

void apply_row(PictureBuilder& picture, const TrafficRow& row) {
  if (!(row.bytes_per_s > 0)) {
    return remove_traffic(picture, holder_of(picture, row.a), holder_of(picture, row.b));
  }
  const std::uint32_t a = holder_or_expected(picture, row.a);
  const std::uint32_t b = holder_or_expected(picture, row.b);
  const std::uint32_t known = find_traffic(picture, a, b);
  const std::uint32_t edge = known != kNoRow ? known : add_traffic(picture, a, b);
  picture.set(traffic::bytes_per_s, edge, row.bytes_per_s, row.observed_at_us);
}

void apply_row(PictureBuilder& picture, const DataSourceRow& row) {
  const std::uint32_t source = picture.code(row.source);
  if (!(row.bytes_per_s > 0)) return remove_data_source(picture, holder_of(picture, row.vm), source);
  const std::uint32_t vm = holder_or_expected(picture, row.vm);
  const std::uint32_t known = find_data_source(picture, vm, source);
  const std::uint32_t edge = known != kNoRow ? known : add_data_source(picture, vm, source);
  picture.set(data_sources::bytes_per_s, edge, row.bytes_per_s, row.observed_at_us);
}

void apply_row(PictureBuilder& picture, const PageSampleRow& row) {
  const std::uint32_t vm = holder_or_expected(picture, row.vm);
  picture.set(vms::pages, vm, row.pages);
  picture.set(vms::zero_pages, vm, row.zero_pages);
  picture.set(vms::distinct_pages, vm, row.distinct_pages);
  picture.set(vms::sample_rate, vm, row.rate);
  picture.set(vms::page_samples, vm, row.hashes, row.observed_at_us);
}

}  // namespace emplace::steps
