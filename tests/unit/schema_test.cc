#include "service/core/picture/schema.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <type_traits>
#include <utility>

namespace emplace {
namespace {

template <typename T>
constexpr Type type_of() {
  if constexpr (std::is_same_v<T, double>) return Type::kF64;
  if constexpr (std::is_same_v<T, std::int64_t>) return Type::kI64;
  if constexpr (std::is_same_v<T, std::uint32_t>) return Type::kU32;
  if constexpr (std::is_same_v<T, std::uint8_t>) return Type::kU8;
  if constexpr (std::is_same_v<T, Uuid>) return Type::kUuid;
  if constexpr (std::is_same_v<T, Utf8>) return Type::kUtf8;
  if constexpr (std::is_same_v<T, ListU32>) return Type::kListU32;
  return Type::kSpanU64;
}

template <typename T>
void expect_column(Column<T> column, std::string_view name) {
  ASSERT_LT(column.index, kColumnCount);
  const ColumnSchema& schema = column_schemas()[column.index];
  EXPECT_EQ(std::string(table_name(schema.table)) + "." + std::string(schema.name), name);
  EXPECT_EQ(static_cast<int>(schema.type), static_cast<int>(type_of<T>())) << name;
}

#define EXPECT_COLUMN(table, column) expect_column(table::column, #table "." #column)

TEST(Schema, NamesTheColumnsOfStringsHostsAndCells) {
  EXPECT_COLUMN(strings, alive);
  EXPECT_COLUMN(strings, text);
  EXPECT_COLUMN(hosts, alive);
  EXPECT_COLUMN(hosts, name);
  EXPECT_COLUMN(hosts, source);
  EXPECT_COLUMN(hosts, state);
  EXPECT_COLUMN(hosts, zone);
  EXPECT_COLUMN(hosts, rack);
  EXPECT_COLUMN(hosts, aggregates);
  EXPECT_COLUMN(hosts, traits);
  EXPECT_COLUMN(hosts, vcpus);
  EXPECT_COLUMN(hosts, memory_mib);
  EXPECT_COLUMN(hosts, disk_gib);
  EXPECT_COLUMN(hosts, vcpus_reserved);
  EXPECT_COLUMN(hosts, memory_reserved_mib);
  EXPECT_COLUMN(hosts, disk_reserved_gib);
  EXPECT_COLUMN(hosts, cpu_allocation_ratio);
  EXPECT_COLUMN(hosts, ram_allocation_ratio);
  EXPECT_COLUMN(hosts, disk_allocation_ratio);
  EXPECT_COLUMN(hosts, vcpus_used);
  EXPECT_COLUMN(hosts, memory_used_mib);
  EXPECT_COLUMN(hosts, disk_used_gib);
  EXPECT_COLUMN(hosts, vcpus_capacity);
  EXPECT_COLUMN(hosts, memory_capacity_mib);
  EXPECT_COLUMN(hosts, disk_capacity_gib);
  EXPECT_COLUMN(hosts, vcpus_free);
  EXPECT_COLUMN(hosts, memory_free_mib);
  EXPECT_COLUMN(hosts, disk_free_gib);
  EXPECT_COLUMN(hosts, first_cell);
  EXPECT_COLUMN(hosts, cell_count);
  EXPECT_COLUMN(hosts, generation);
  EXPECT_COLUMN(hosts, cpu_util);
  EXPECT_COLUMN(hosts, memory_used_observed_mib);
  EXPECT_COLUMN(hosts, power_watts);
  EXPECT_COLUMN(hosts, vm_count);
  EXPECT_COLUMN(hosts, nova_state);
  EXPECT_COLUMN(numa_cells, alive);
  EXPECT_COLUMN(numa_cells, host);
  EXPECT_COLUMN(numa_cells, cell);
  EXPECT_COLUMN(numa_cells, vcpus_capacity);
  EXPECT_COLUMN(numa_cells, memory_capacity_mib);
  EXPECT_COLUMN(numa_cells, vcpus_free);
  EXPECT_COLUMN(numa_cells, memory_free_mib);
  EXPECT_COLUMN(numa_cells, vcpus);
  EXPECT_COLUMN(numa_cells, memory_mib);
}

TEST(Schema, NamesTheColumnsOfVmsAndTheRest) {
  EXPECT_COLUMN(vms, alive);
  EXPECT_COLUMN(vms, id);
  EXPECT_COLUMN(vms, name);
  EXPECT_COLUMN(vms, host);
  EXPECT_COLUMN(vms, state);
  EXPECT_COLUMN(vms, source);
  EXPECT_COLUMN(vms, project);
  EXPECT_COLUMN(vms, group);
  EXPECT_COLUMN(vms, vcpus);
  EXPECT_COLUMN(vms, memory_mib);
  EXPECT_COLUMN(vms, disk_gib);
  EXPECT_COLUMN(vms, numa_nodes);
  EXPECT_COLUMN(vms, cells);
  EXPECT_COLUMN(vms, spread_by);
  EXPECT_COLUMN(vms, spread_group);
  EXPECT_COLUMN(vms, spread_domain);
  EXPECT_COLUMN(vms, claim);
  EXPECT_COLUMN(vms, pages);
  EXPECT_COLUMN(vms, zero_pages);
  EXPECT_COLUMN(vms, distinct_pages);
  EXPECT_COLUMN(vms, sample_rate);
  EXPECT_COLUMN(vms, page_samples);
  EXPECT_COLUMN(vms, failure);
  EXPECT_COLUMN(vms, vcpus_max);
  EXPECT_COLUMN(vms, memory_max_mib);
  EXPECT_COLUMN(vms, takes);
  EXPECT_COLUMN(groups, alive);
  EXPECT_COLUMN(groups, name);
  EXPECT_COLUMN(groups, policy);
  EXPECT_COLUMN(groups, max_per_host);
  EXPECT_COLUMN(groups, generation);
  EXPECT_COLUMN(aggregates, alive);
  EXPECT_COLUMN(aggregates, name);
  EXPECT_COLUMN(aggregates, metadata);
  EXPECT_COLUMN(traffic, alive);
  EXPECT_COLUMN(traffic, a);
  EXPECT_COLUMN(traffic, b);
  EXPECT_COLUMN(traffic, bytes_per_s);
  EXPECT_COLUMN(data_sources, alive);
  EXPECT_COLUMN(data_sources, vm);
  EXPECT_COLUMN(data_sources, source);
  EXPECT_COLUMN(data_sources, bytes_per_s);
  EXPECT_COLUMN(source_hosts, alive);
  EXPECT_COLUMN(source_hosts, source);
  EXPECT_COLUMN(source_hosts, host);
}

TEST(Schema, NamesEachColumnOnce) {
  std::set<std::pair<int, std::string_view>> names;
  for (const ColumnSchema& column : column_schemas()) names.emplace(static_cast<int>(column.table), column.name);
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kColumnCount));
}

TEST(Schema, KeepsTheColumnsOfATableTogetherAndAliveFirst) {
  std::uint16_t next = 0;
  for (int i = 0; i < kTableCount; ++i) {
    const auto table = static_cast<Table>(i);
    const ColumnRange range = columns_of(table);
    EXPECT_EQ(range.first, next);
    EXPECT_EQ(column_schemas()[range.first].name, "alive");
    for (std::uint16_t column = range.first; column < range.end; ++column) {
      EXPECT_EQ(column_schemas()[column].table, table);
    }
    next = range.end;
  }
  EXPECT_EQ(next, kColumnCount);
}

// The name of an amount says its unit, and nothing else has one.
TEST(Schema, GivesUnitsThatTheNamesCarry) {
  const std::pair<std::string_view, std::string_view> endings[] = {
      {"_mib", "MiB"}, {"_gib", "GiB"}, {"_watts", "W"}, {"_per_s", "B/s"}, {"_ratio", "ratio"}};
  for (const ColumnSchema& column : column_schemas()) {
    for (const auto& [ending, unit] : endings) {
      EXPECT_TRUE(!column.name.ends_with(ending) || column.unit == unit) << column.name;
      EXPECT_TRUE(column.unit != unit || unit == "ratio" || column.name.ends_with(ending)) << column.name;
    }
    const bool is_reference = column.unit == "row" || column.unit == "code";
    EXPECT_TRUE(!is_reference || column.type == Type::kU32 || column.type == Type::kListU32) << column.name;
    EXPECT_TRUE(column.name != "generation" || column.unit.empty());
  }
}

template <typename Enum>
void expect_words(std::optional<Enum> (*parse)(std::string_view), std::uint32_t count) {
  std::set<std::string_view> words;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto value = static_cast<Enum>(i);
    words.insert(to_string(value));
    EXPECT_EQ(parse(to_string(value)), value);
  }
  EXPECT_EQ(words.size(), count);
  EXPECT_EQ(parse(""), std::nullopt);
  EXPECT_EQ(parse("Running "), std::nullopt);
}

TEST(Schema, ReadsBackEveryWord) {
  expect_words(parse_host_state, 4);
  expect_words(parse_vm_state, 8);
  expect_words(parse_group_policy, 4);
  expect_words(parse_spread_by, 3);
}

}  // namespace
}  // namespace emplace
