#include "service/core/picture/schema.h"

#include <array>

namespace emplace {
namespace {

// clang-format off
constexpr std::array<ColumnSchema, kColumnCount> kColumns{{
    {Table::kStrings, "alive", "", Type::kU8, false},
    {Table::kStrings, "text", "", Type::kUtf8, false},
    {Table::kHosts, "alive", "", Type::kU8, false},
    {Table::kHosts, "name", "", Type::kUtf8, false},
    {Table::kHosts, "source", "code", Type::kU32, false},
    {Table::kHosts, "state", "", Type::kU32, false},
    {Table::kHosts, "zone", "code", Type::kU32, false},
    {Table::kHosts, "rack", "code", Type::kU32, false},
    {Table::kHosts, "aggregates", "row", Type::kListU32, false},
    {Table::kHosts, "traits", "code", Type::kListU32, false},
    {Table::kHosts, "vcpus", "vCPU", Type::kF64, false},
    {Table::kHosts, "memory_mib", "MiB", Type::kF64, false},
    {Table::kHosts, "disk_gib", "GiB", Type::kF64, false},
    {Table::kHosts, "vcpus_reserved", "vCPU", Type::kF64, false},
    {Table::kHosts, "memory_reserved_mib", "MiB", Type::kF64, false},
    {Table::kHosts, "disk_reserved_gib", "GiB", Type::kF64, false},
    {Table::kHosts, "cpu_allocation_ratio", "ratio", Type::kF64, false},
    {Table::kHosts, "ram_allocation_ratio", "ratio", Type::kF64, false},
    {Table::kHosts, "disk_allocation_ratio", "ratio", Type::kF64, false},
    {Table::kHosts, "vcpus_used", "vCPU", Type::kF64, false},
    {Table::kHosts, "memory_used_mib", "MiB", Type::kF64, false},
    {Table::kHosts, "disk_used_gib", "GiB", Type::kF64, false},
    {Table::kHosts, "vcpus_capacity", "vCPU", Type::kF64, false},
    {Table::kHosts, "memory_capacity_mib", "MiB", Type::kF64, false},
    {Table::kHosts, "disk_capacity_gib", "GiB", Type::kF64, false},
    {Table::kHosts, "vcpus_free", "vCPU", Type::kF64, false},
    {Table::kHosts, "memory_free_mib", "MiB", Type::kF64, false},
    {Table::kHosts, "disk_free_gib", "GiB", Type::kF64, false},
    {Table::kHosts, "first_cell", "row", Type::kU32, false},
    {Table::kHosts, "cell_count", "", Type::kU32, false},
    {Table::kHosts, "generation", "", Type::kI64, false},
    {Table::kHosts, "cpu_util", "ratio", Type::kF64, true},
    {Table::kHosts, "memory_used_observed_mib", "MiB", Type::kF64, true},
    {Table::kHosts, "power_watts", "W", Type::kF64, true},
    {Table::kHosts, "vm_count", "", Type::kF64, false},
    {Table::kHosts, "nova_state", "", Type::kUtf8, false},
    {Table::kHosts, "resources_used", "", Type::kUtf8, false},
    {Table::kHosts, "resources_capacity", "", Type::kUtf8, false},
    {Table::kHosts, "provider", "", Type::kUuid, false},
    {Table::kNumaCells, "alive", "", Type::kU8, false},
    {Table::kNumaCells, "host", "row", Type::kU32, false},
    {Table::kNumaCells, "cell", "", Type::kU32, false},
    {Table::kNumaCells, "vcpus_capacity", "vCPU", Type::kF64, false},
    {Table::kNumaCells, "memory_capacity_mib", "MiB", Type::kF64, false},
    {Table::kNumaCells, "vcpus_free", "vCPU", Type::kF64, false},
    {Table::kNumaCells, "memory_free_mib", "MiB", Type::kF64, false},
    {Table::kNumaCells, "vcpus", "vCPU", Type::kF64, false},
    {Table::kNumaCells, "memory_mib", "MiB", Type::kF64, false},
    {Table::kVms, "alive", "", Type::kU8, false},
    {Table::kVms, "id", "", Type::kUuid, false},
    {Table::kVms, "name", "", Type::kUtf8, false},
    {Table::kVms, "host", "row", Type::kU32, false},
    {Table::kVms, "state", "", Type::kU32, false},
    {Table::kVms, "source", "code", Type::kU32, false},
    {Table::kVms, "project", "code", Type::kU32, false},
    {Table::kVms, "group", "row", Type::kU32, false},
    {Table::kVms, "vcpus", "vCPU", Type::kF64, false},
    {Table::kVms, "memory_mib", "MiB", Type::kF64, false},
    {Table::kVms, "disk_gib", "GiB", Type::kF64, false},
    {Table::kVms, "numa_nodes", "", Type::kU32, false},
    {Table::kVms, "cells", "", Type::kI64, false},
    {Table::kVms, "spread_by", "", Type::kU32, false},
    {Table::kVms, "spread_group", "code", Type::kU32, false},
    {Table::kVms, "spread_domain", "code", Type::kU32, false},
    {Table::kVms, "claim", "", Type::kUuid, false},
    {Table::kVms, "pages", "pages", Type::kF64, false},
    {Table::kVms, "zero_pages", "pages", Type::kF64, false},
    {Table::kVms, "distinct_pages", "pages", Type::kF64, false},
    {Table::kVms, "sample_rate", "", Type::kI64, false},
    {Table::kVms, "page_samples", "", Type::kSpanU64, true},
    {Table::kVms, "failure", "", Type::kUtf8, false},
    {Table::kVms, "vcpus_max", "vCPU", Type::kF64, false},
    {Table::kVms, "memory_max_mib", "MiB", Type::kF64, false},
    {Table::kVms, "takes", "", Type::kUtf8, false},
    {Table::kGroups, "alive", "", Type::kU8, false},
    {Table::kGroups, "name", "", Type::kUtf8, false},
    {Table::kGroups, "policy", "", Type::kU32, false},
    {Table::kGroups, "max_per_host", "", Type::kF64, false},
    {Table::kGroups, "generation", "", Type::kI64, false},
    {Table::kAggregates, "alive", "", Type::kU8, false},
    {Table::kAggregates, "name", "", Type::kUtf8, false},
    {Table::kAggregates, "metadata", "", Type::kUtf8, false},
    {Table::kTraffic, "alive", "", Type::kU8, false},
    {Table::kTraffic, "a", "row", Type::kU32, false},
    {Table::kTraffic, "b", "row", Type::kU32, false},
    {Table::kTraffic, "bytes_per_s", "B/s", Type::kF64, true},
    {Table::kDataSources, "alive", "", Type::kU8, false},
    {Table::kDataSources, "vm", "row", Type::kU32, false},
    {Table::kDataSources, "source", "code", Type::kU32, false},
    {Table::kDataSources, "bytes_per_s", "B/s", Type::kF64, true},
    {Table::kSourceHosts, "alive", "", Type::kU8, false},
    {Table::kSourceHosts, "source", "code", Type::kU32, false},
    {Table::kSourceHosts, "host", "row", Type::kU32, false},
}};
// clang-format on

constexpr std::array<ColumnRange, kTableCount> make_ranges() {
  std::array<ColumnRange, kTableCount> ranges{};
  for (std::uint16_t column = 0; column < kColumnCount; ++column) {
    ColumnRange& range = ranges[static_cast<std::size_t>(kColumns[column].table)];
    if (range.end == 0) range.first = column;
    range.end = static_cast<std::uint16_t>(column + 1);
  }
  return ranges;
}
constexpr auto kRanges = make_ranges();

constexpr std::array<std::string_view, kTableCount> kTableNames{
    "strings", "hosts", "numa_cells", "vms", "groups", "aggregates", "traffic", "data_sources", "source_hosts"};
constexpr std::array<std::string_view, 4> kHostStates{"enabled", "disabled", "maintenance", "down"};
constexpr std::array<std::string_view, 8> kVmStates{"expected", "claimed",   "starting", "running",
                                                    "stopped",  "migrating", "failed",   "placed"};
constexpr std::array<std::string_view, 4> kGroupPolicies{"affinity", "anti-affinity", "soft-affinity",
                                                         "soft-anti-affinity"};
constexpr std::array<std::string_view, 3> kSpreads{"none", "rack", "zone"};

template <typename Enum, std::size_t N>
std::optional<Enum> parse(const std::array<std::string_view, N>& names, std::string_view text) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == text) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::span<const ColumnSchema> column_schemas() { return kColumns; }
ColumnRange columns_of(Table table) { return kRanges[static_cast<std::size_t>(table)]; }
std::string_view table_name(Table table) { return kTableNames[static_cast<std::size_t>(table)]; }

std::string_view to_string(HostState state) { return kHostStates[static_cast<std::size_t>(state)]; }
std::string_view to_string(VmState state) { return kVmStates[static_cast<std::size_t>(state)]; }
std::string_view to_string(GroupPolicy policy) { return kGroupPolicies[static_cast<std::size_t>(policy)]; }
std::string_view to_string(SpreadBy by) { return kSpreads[static_cast<std::size_t>(by)]; }
std::optional<HostState> parse_host_state(std::string_view text) { return parse<HostState>(kHostStates, text); }
std::optional<VmState> parse_vm_state(std::string_view text) { return parse<VmState>(kVmStates, text); }
std::optional<GroupPolicy> parse_group_policy(std::string_view text) {
  return parse<GroupPolicy>(kGroupPolicies, text);
}
std::optional<SpreadBy> parse_spread_by(std::string_view text) { return parse<SpreadBy>(kSpreads, text); }

}  // namespace emplace
