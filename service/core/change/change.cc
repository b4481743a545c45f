#include "service/core/change/change.h"

#include <algorithm>
#include <array>
#include <bit>
#include <set>

#include "service/core/change/change_steps.h"
#include "service/core/change/placement_told.h"
#include "service/core/change/takes.h"

namespace emplace {
namespace steps {
namespace {

std::uint32_t find_or_add(PictureBuilder& picture, Table table, Index which, Column<Utf8> column,
                          std::string_view name) {
  std::uint32_t row = find_named(picture, which, column, name);
  if (row != kNoRow) return row;
  row = picture.add_row(table);
  picture.set(column, row, name);
  picture.index(which, text_key(name), row);
  return row;
}

std::uint32_t find_host(const PictureBuilder& picture, std::string_view name) {
  return find_named(picture, Index::kHostsByName, hosts::name, name);
}

void set_observed(PictureBuilder& picture, Column<double> column, std::uint32_t row, const std::optional<double>& value,
                  std::int64_t observed_at_us) {
  if (!value) return picture.clear(column, row);
  picture.set(column, row, *value, observed_at_us);
}

// What vms that asked for the same number of cells use of one cell, before it is divided by that number.
constexpr std::uint32_t kMostCells = 64;
using CellUse = std::array<CellRow, kMostCells + 1>;

void count_use(const PictureBuilder& picture, std::uint32_t vm, std::vector<CellUse>& uses) {
  const auto mask = static_cast<std::uint64_t>(picture.get(vms::cells, vm).value_or(0));
  if (mask == 0) return;
  const auto nodes = static_cast<std::size_t>(std::popcount(mask));
  for (std::size_t cell = 0; cell < uses.size() && cell < kMostCells; ++cell) {
    if (((mask >> cell) & 1u) == 0) continue;
    uses[cell][nodes].vcpus += picture.get(vms::vcpus, vm).value_or(0);
    uses[cell][nodes].memory_mib += picture.get(vms::memory_mib, vm).value_or(0);
  }
}

CellRow total(const CellUse& use) {
  CellRow sum;
  for (std::size_t nodes = 1; nodes < use.size(); ++nodes) {
    sum.vcpus += use[nodes].vcpus / static_cast<double>(nodes);
    sum.memory_mib += use[nodes].memory_mib / static_cast<double>(nodes);
  }
  return sum;
}

void remove_cells(PictureBuilder& picture, std::uint32_t host) {
  const auto first = picture.get(hosts::first_cell, host);
  if (!first) return;
  const std::uint32_t count = picture.get(hosts::cell_count, host).value_or(0);
  for (std::uint32_t cell = 0; cell < count; ++cell) picture.remove_row(Table::kNumaCells, *first + cell);
  picture.clear(hosts::first_cell, host);
  picture.clear(hosts::cell_count, host);
}

void set_cells(PictureBuilder& picture, std::uint32_t host, const HostRow& row) {
  const auto count = static_cast<std::uint32_t>(row.cells.size());
  if (picture.get(hosts::cell_count, host).value_or(0) != count) {
    remove_cells(picture, host);
    if (count > 0) {
      picture.set(hosts::first_cell, host, picture.add_rows(Table::kNumaCells, count));
      picture.set(hosts::cell_count, host, count);
    }
  }
  if (count == 0) return;
  const std::uint32_t first = *picture.get(hosts::first_cell, host);
  for (std::uint32_t i = 0; i < count; ++i) {
    picture.set(numa_cells::host, first + i, host);
    picture.set(numa_cells::cell, first + i, i);
    picture.set(numa_cells::vcpus, first + i, row.cells[i].vcpus);
    picture.set(numa_cells::memory_mib, first + i, row.cells[i].memory_mib);
    picture.set(numa_cells::vcpus_capacity, first + i, row.cells[i].vcpus * row.cpu_allocation_ratio);
    picture.set(numa_cells::memory_capacity_mib, first + i, row.cells[i].memory_mib * row.ram_allocation_ratio);
  }
  update_cells(picture, host);
}

void set_amounts(PictureBuilder& picture, std::uint32_t host, const HostRow& row) {
  picture.set(hosts::vcpus, host, row.vcpus);
  picture.set(hosts::memory_mib, host, row.memory_mib);
  picture.set(hosts::disk_gib, host, row.disk_gib);
  picture.set(hosts::vcpus_reserved, host, row.vcpus_reserved);
  picture.set(hosts::memory_reserved_mib, host, row.memory_reserved_mib);
  picture.set(hosts::disk_reserved_gib, host, row.disk_reserved_gib);
  picture.set(hosts::cpu_allocation_ratio, host, row.cpu_allocation_ratio);
  picture.set(hosts::ram_allocation_ratio, host, row.ram_allocation_ratio);
  picture.set(hosts::disk_allocation_ratio, host, row.disk_allocation_ratio);
  picture.set(hosts::vcpus_capacity, host, (row.vcpus - row.vcpus_reserved) * row.cpu_allocation_ratio);
  picture.set(hosts::memory_capacity_mib, host, (row.memory_mib - row.memory_reserved_mib) * row.ram_allocation_ratio);
  picture.set(hosts::disk_capacity_gib, host, (row.disk_gib - row.disk_reserved_gib) * row.disk_allocation_ratio);
  for (const auto used : {hosts::vcpus_used, hosts::memory_used_mib, hosts::disk_used_gib, hosts::vm_count}) {
    if (!picture.get(used, host)) picture.set(used, host, 0.0);
  }
  update_free(picture, host);
}

void set_aggregates(PictureBuilder& picture, std::uint32_t host, const std::vector<std::uint32_t>& rows) {
  const auto before = picture.get_list(hosts::aggregates, host);
  if (before != rows) {
    for (const std::uint32_t aggregate : before) picture.unindex(Index::kHostsByAggregate, aggregate, host);
    for (const std::uint32_t aggregate : rows) picture.index(Index::kHostsByAggregate, aggregate, host);
  }
  picture.set(hosts::aggregates, host, rows);
}

void set_labels(PictureBuilder& picture, std::uint32_t host, const HostRow& row) {
  std::vector<std::uint32_t> aggregate_rows, trait_codes;
  for (const auto& name : row.aggregates) {
    aggregate_rows.push_back(
        find_or_add(picture, Table::kAggregates, Index::kAggregatesByName, aggregates::name, name));
  }
  for (const auto& trait : row.traits) trait_codes.push_back(picture.code(trait));
  set_aggregates(picture, host, aggregate_rows);
  picture.set(hosts::traits, host, trait_codes);
  set_or_clear(picture, hosts::source, host, code_of(picture, row.source));
  set_or_clear(picture, hosts::zone, host, code_of(picture, row.zone));
  set_key(picture, Index::kHostsByRack, hosts::rack, host, code_of(picture, row.rack));
}

void remove_copy(PictureBuilder& picture, std::uint32_t copy) {
  picture.unindex(Index::kSourceHostsBySource, *picture.get(source_hosts::source, copy), copy);
  picture.unindex(Index::kSourceHostsByHost, *picture.get(source_hosts::host, copy), copy);
  picture.remove_row(Table::kSourceHosts, copy);
}

void add_copy(PictureBuilder& picture, std::uint32_t source, std::uint32_t host) {
  const std::uint32_t copy = picture.add_row(Table::kSourceHosts);
  picture.set(source_hosts::source, copy, source);
  picture.set(source_hosts::host, copy, host);
  picture.index(Index::kSourceHostsBySource, source, copy);
  picture.index(Index::kSourceHostsByHost, host, copy);
}

void remove_from_hosts(PictureBuilder& picture, std::uint32_t aggregate) {
  for (const std::uint32_t host : rows_of(picture, Index::kHostsByAggregate, aggregate)) {
    auto rows = picture.get_list(hosts::aggregates, host);
    std::erase(rows, aggregate);
    set_aggregates(picture, host, rows);
  }
}

}  // namespace

std::uint32_t find_named(const PictureBuilder& picture, Index which, Column<Utf8> column, std::string_view name) {
  for (const auto& entry : picture.find(which, text_key(name))) {
    if (picture.is_text(column, entry.row, name)) return entry.row;
  }
  return kNoRow;
}

std::vector<std::uint32_t> rows_of(const PictureBuilder& picture, Index which, std::uint64_t key) {
  std::vector<std::uint32_t> rows;
  for (const auto& entry : picture.find(which, key)) rows.push_back(entry.row);
  return rows;
}

std::optional<std::uint32_t> code_of(PictureBuilder& picture, std::string_view text) {
  return text.empty() ? std::nullopt : std::optional(picture.code(text));
}

void set_or_clear(PictureBuilder& picture, Column<std::uint32_t> column, std::uint32_t row,
                  std::optional<std::uint32_t> value) {
  if (!value) return picture.clear(column, row);
  picture.set(column, row, *value);
}

void set_key(PictureBuilder& picture, Index which, Column<std::uint32_t> column, std::uint32_t row,
             std::optional<std::uint32_t> value) {
  const auto old = picture.get(column, row);
  if (old == value) return;
  if (old) picture.unindex(which, *old, row);
  if (value) picture.index(which, *value, row);
  set_or_clear(picture, column, row, value);
}

void update_free(PictureBuilder& picture, std::uint32_t host) {
  const ResourceAmounts otherwise = resource_amounts(picture.get_text(hosts::resources_used, host));
  const auto update = [&](Column<double> free, Column<double> capacity, Column<double> used, std::string_view name) {
    const auto more = otherwise.find(name);
    const double all = picture.get(used, host).value_or(0) + (more == otherwise.end() ? 0 : more->second);
    picture.set(free, host, picture.get(capacity, host).value_or(0) - all);
  };
  update(hosts::vcpus_free, hosts::vcpus_capacity, hosts::vcpus_used, "VCPU");
  update(hosts::memory_free_mib, hosts::memory_capacity_mib, hosts::memory_used_mib, "MEMORY_MB");
  update(hosts::disk_free_gib, hosts::disk_capacity_gib, hosts::disk_used_gib, "DISK_GB");
}

// Amounts are whole numbers, so that these sums are exact and the order of the vms is not in their bits; the division
// comes last, and its results are added in one fixed order.
void update_cells(PictureBuilder& picture, std::uint32_t host) {
  const auto first = picture.get(hosts::first_cell, host);
  if (!first) return;
  const std::uint32_t count = picture.get(hosts::cell_count, host).value_or(0);
  std::vector<CellUse> uses(count);
  for (const auto& entry : picture.find(Index::kVmsByHost, host)) count_use(picture, entry.row, uses);
  for (std::uint32_t i = 0; i < count; ++i) {
    const CellRow used = total(uses[i]);
    const std::uint32_t cell = *first + i;
    picture.set(numa_cells::vcpus_free, cell, picture.get(numa_cells::vcpus_capacity, cell).value_or(0) - used.vcpus);
    picture.set(numa_cells::memory_free_mib, cell,
                picture.get(numa_cells::memory_capacity_mib, cell).value_or(0) - used.memory_mib);
  }
}

void set_nova_state(PictureBuilder& picture, std::uint32_t host, const std::string& state) {
  if (picture.get_text(hosts::nova_state, host) == state) return;
  state.empty() ? picture.clear(hosts::nova_state, host) : picture.set(hosts::nova_state, host, state);
  const auto told = placement_told(state);
  told ? picture.set(hosts::resources_capacity, host, told->capacities)
       : picture.clear(hosts::resources_capacity, host);
  told && told->provider ? picture.set(hosts::provider, host, *told->provider) : picture.clear(hosts::provider, host);
}

void apply_row(PictureBuilder& picture, const HostRow& row) {
  const std::uint32_t host = find_or_add(picture, Table::kHosts, Index::kHostsByName, hosts::name, row.name);
  picture.set(hosts::state, host, static_cast<std::uint32_t>(row.state));
  set_labels(picture, host, row);
  set_amounts(picture, host, row);
  set_cells(picture, host, row);
  picture.set(hosts::generation, host, row.generation);
  set_observed(picture, hosts::cpu_util, host, row.cpu_util, row.observed_at_us);
  set_observed(picture, hosts::memory_used_observed_mib, host, row.memory_used_observed_mib, row.observed_at_us);
  set_observed(picture, hosts::power_watts, host, row.power_watts, row.observed_at_us);
  set_nova_state(picture, host, row.nova_state);
}

// Rows are reused: nothing may go on pointing at one that is gone.
void apply_row(PictureBuilder& picture, const HostRemoved& removed) {
  const std::uint32_t host = find_host(picture, removed.name);
  if (host == kNoRow) return;
  for (const std::uint32_t vm : rows_of(picture, Index::kVmsByHost, host)) {
    set_key(picture, Index::kVmsByHost, vms::host, vm, std::nullopt);
  }
  for (const std::uint32_t copy : rows_of(picture, Index::kSourceHostsByHost, host)) remove_copy(picture, copy);
  set_key(picture, Index::kHostsByRack, hosts::rack, host, std::nullopt);
  set_aggregates(picture, host, {});
  remove_cells(picture, host);
  picture.unindex(Index::kHostsByName, text_key(removed.name), host);
  picture.remove_row(Table::kHosts, host);
}

void apply_row(PictureBuilder& picture, const GroupRow& row) {
  const std::uint32_t group = find_or_add(picture, Table::kGroups, Index::kGroupsByName, groups::name, row.name);
  picture.set(groups::policy, group, static_cast<std::uint32_t>(row.policy));
  picture.set(groups::max_per_host, group, row.max_per_host);
  picture.set(groups::generation, group, row.generation);
}

void apply_row(PictureBuilder& picture, const GroupRemoved& removed) {
  const std::uint32_t group = find_named(picture, Index::kGroupsByName, groups::name, removed.name);
  if (group == kNoRow) return;
  for (const std::uint32_t vm : rows_of(picture, Index::kVmsByGroup, group)) {
    set_key(picture, Index::kVmsByGroup, vms::group, vm, std::nullopt);
  }
  picture.unindex(Index::kGroupsByName, text_key(removed.name), group);
  picture.remove_row(Table::kGroups, group);
}

void apply_row(PictureBuilder& picture, const AggregateRow& row) {
  const std::uint32_t aggregate =
      find_or_add(picture, Table::kAggregates, Index::kAggregatesByName, aggregates::name, row.name);
  picture.set(aggregates::metadata, aggregate, metadata_json(row.metadata));
}

void apply_row(PictureBuilder& picture, const AggregateRemoved& removed) {
  const std::uint32_t aggregate = find_named(picture, Index::kAggregatesByName, aggregates::name, removed.name);
  if (aggregate == kNoRow) return;
  remove_from_hosts(picture, aggregate);
  picture.unindex(Index::kAggregatesByName, text_key(removed.name), aggregate);
  picture.remove_row(Table::kAggregates, aggregate);
}

void apply_row(PictureBuilder& picture, const SourceHostsRow& row) {
  const std::uint32_t source = picture.code(row.source);
  std::set<std::uint32_t> missing;
  for (const auto& name : row.hosts) {
    if (const std::uint32_t host = find_host(picture, name); host != kNoRow) missing.insert(host);
  }
  for (const std::uint32_t copy : rows_of(picture, Index::kSourceHostsBySource, source)) {
    if (missing.erase(*picture.get(source_hosts::host, copy)) == 0) remove_copy(picture, copy);
  }
  for (const std::uint32_t host : missing) add_copy(picture, source, host);
}

}  // namespace steps

void apply(PictureBuilder& picture, const Change& change) {
  std::visit([&](const auto& row) { steps::apply_row(picture, row); }, change);
}

}  // namespace emplace
