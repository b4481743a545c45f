#include <algorithm>

#include "service/core/change/change.h"

namespace emplace {
namespace {

std::string code_text(const Picture& picture, Column<std::uint32_t> column, std::uint32_t row) {
  const auto code = picture[column].get(row);
  return code ? std::string(picture.text(*code)) : std::string();
}

template <typename RowFunction>
void for_each_alive(const Picture& picture, Table table, Column<std::uint8_t> alive, RowFunction&& function) {
  for (std::uint32_t row = 0; row < picture.rows(table); ++row) {
    if (picture[alive].valid(row) && picture[alive][row] == 1) function(row);
  }
}

}  // namespace

HostRow host_row(const Picture& picture, std::uint32_t host) {
  HostRow row;
  row.name = picture[hosts::name][host];
  row.source = code_text(picture, hosts::source, host);
  row.zone = code_text(picture, hosts::zone, host);
  row.rack = code_text(picture, hosts::rack, host);
  row.state = static_cast<HostState>(picture[hosts::state][host]);
  for (const std::uint32_t aggregate : picture[hosts::aggregates][host]) {
    row.aggregates.emplace_back(picture[aggregates::name][aggregate]);
  }
  for (const std::uint32_t trait : picture[hosts::traits][host]) row.traits.emplace_back(picture.text(trait));
  row.vcpus = picture[hosts::vcpus][host];
  row.memory_mib = picture[hosts::memory_mib][host];
  row.disk_gib = picture[hosts::disk_gib][host];
  row.vcpus_reserved = picture[hosts::vcpus_reserved][host];
  row.memory_reserved_mib = picture[hosts::memory_reserved_mib][host];
  row.disk_reserved_gib = picture[hosts::disk_reserved_gib][host];
  row.cpu_allocation_ratio = picture[hosts::cpu_allocation_ratio][host];
  row.ram_allocation_ratio = picture[hosts::ram_allocation_ratio][host];
  row.disk_allocation_ratio = picture[hosts::disk_allocation_ratio][host];
  const std::uint32_t cells = picture[hosts::cell_count].get(host).value_or(0);
  for (std::uint32_t i = 0; i < cells; ++i) {
    const std::uint32_t cell = picture[hosts::first_cell][host] + i;
    row.cells.push_back({picture[numa_cells::vcpus][cell], picture[numa_cells::memory_mib][cell]});
  }
  row.cpu_util = picture[hosts::cpu_util].get(host);
  row.memory_used_observed_mib = picture[hosts::memory_used_observed_mib].get(host);
  row.power_watts = picture[hosts::power_watts].get(host);
  for (const auto column : {hosts::cpu_util, hosts::memory_used_observed_mib, hosts::power_watts}) {
    if (picture[column].valid(host)) row.observed_at_us = picture[column].observed_at_us(host);
  }
  row.nova_state = picture[hosts::nova_state].get(host).value_or("");
  row.generation = picture[hosts::generation][host];
  return row;
}

VmRow vm_row(const Picture& picture, std::uint32_t vm) {
  VmRow row;
  row.id = picture[vms::id].get(vm).value_or(Uuid{});
  row.name = picture[vms::name][vm];
  if (const auto host = picture[vms::host].get(vm)) row.host = picture[hosts::name][*host];
  row.state = static_cast<VmState>(picture[vms::state][vm]);
  row.source = code_text(picture, vms::source, vm);
  row.project = code_text(picture, vms::project, vm);
  if (const auto group = picture[vms::group].get(vm)) row.group = picture[groups::name][*group];
  row.vcpus = picture[vms::vcpus].get(vm).value_or(0);
  row.memory_mib = picture[vms::memory_mib].get(vm).value_or(0);
  row.disk_gib = picture[vms::disk_gib].get(vm).value_or(0);
  row.numa_nodes = picture[vms::numa_nodes].get(vm).value_or(0);
  const auto mask = static_cast<std::uint64_t>(picture[vms::cells].get(vm).value_or(0));
  for (std::uint32_t cell = 0; cell < 64; ++cell) {
    if ((mask >> cell) & 1u) row.cells.push_back(cell);
  }
  row.spread.by = static_cast<SpreadBy>(picture[vms::spread_by].get(vm).value_or(0));
  row.spread.group = code_text(picture, vms::spread_group, vm);
  row.spread.domain = code_text(picture, vms::spread_domain, vm);
  row.claim = picture[vms::claim].get(vm);
  row.failure = picture[vms::failure].get(vm).value_or("");
  row.vcpus_max = picture[vms::vcpus_max].get(vm).value_or(0);
  row.memory_max_mib = picture[vms::memory_max_mib].get(vm).value_or(0);
  row.takes = picture[vms::takes].get(vm).value_or("");
  return row;
}

GroupRow group_row(const Picture& picture, std::uint32_t group) {
  return {std::string(picture[groups::name][group]), static_cast<GroupPolicy>(picture[groups::policy][group]),
          picture[groups::max_per_host][group], picture[groups::generation][group]};
}

std::vector<Change> changes_of(const Picture& picture) {
  std::vector<Change> changes;
  for_each_alive(picture, Table::kAggregates, aggregates::alive, [&](std::uint32_t row) {
    changes.emplace_back(AggregateRow{std::string(picture[aggregates::name][row]),
                                      metadata_from_json(picture[aggregates::metadata].get(row).value_or("{}"))});
  });
  for_each_alive(picture, Table::kGroups, groups::alive,
                 [&](std::uint32_t row) { changes.emplace_back(group_row(picture, row)); });
  for_each_alive(picture, Table::kHosts, hosts::alive,
                 [&](std::uint32_t row) { changes.emplace_back(host_row(picture, row)); });
  for_each_alive(picture, Table::kVms, vms::alive, [&](std::uint32_t row) {
    if (picture[vms::id].valid(row)) changes.emplace_back(vm_row(picture, row));
  });
  for_each_alive(picture, Table::kVms, vms::alive, [&](std::uint32_t row) {
    if (!picture[vms::pages].valid(row)) return;
    const auto hashes = picture[vms::page_samples][row];
    changes.emplace_back(PageSampleRow{std::string(picture[vms::name][row]),
                                       picture[vms::pages][row],
                                       picture[vms::zero_pages][row],
                                       picture[vms::distinct_pages][row],
                                       picture[vms::sample_rate][row],
                                       {hashes.begin(), hashes.end()},
                                       picture[vms::page_samples].observed_at_us(row)});
  });
  for_each_alive(picture, Table::kTraffic, traffic::alive, [&](std::uint32_t row) {
    const auto name = [&](std::uint32_t vm) { return std::string(picture[vms::name][vm]); };
    changes.emplace_back(TrafficRow{name(picture[traffic::a][row]), name(picture[traffic::b][row]),
                                    picture[traffic::bytes_per_s][row],
                                    picture[traffic::bytes_per_s].observed_at_us(row)});
  });
  for_each_alive(picture, Table::kDataSources, data_sources::alive, [&](std::uint32_t row) {
    changes.emplace_back(DataSourceRow{std::string(picture[vms::name][picture[data_sources::vm][row]]),
                                       std::string(picture.text(picture[data_sources::source][row])),
                                       picture[data_sources::bytes_per_s][row],
                                       picture[data_sources::bytes_per_s].observed_at_us(row)});
  });
  std::map<std::string, std::vector<std::string>> copies;
  for_each_alive(picture, Table::kSourceHosts, source_hosts::alive, [&](std::uint32_t row) {
    copies[std::string(picture.text(picture[source_hosts::source][row]))].emplace_back(
        picture[hosts::name][picture[source_hosts::host][row]]);
  });
  for (auto& [source, names] : copies) {
    std::sort(names.begin(), names.end());
    changes.emplace_back(SourceHostsRow{source, std::move(names)});
  }
  return changes;
}

}  // namespace emplace
