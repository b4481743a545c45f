#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <limits>
#include <string>
#include <vector>

#include "service/core/change/change.h"
#include "tests/unit/cluster_rows.h"

namespace emplace {
namespace {

using testing_rows::numbered;

// Names of any bytes but those that are not UTF-8: quotes, control characters, NUL, beyond the basic plane.
rc::Gen<std::string> odd_text() {
  return rc::gen::map(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 12)), [](const std::vector<int>& parts) {
    const std::string pieces[] = {"a", "\"", "\\",  std::string(1, '\0'), "\n", "\x1f", "é", "漢", "😀",
                                  "/", "{}", "\x7f"};
    std::string text;
    for (const int part : parts) text += pieces[part];
    return text;
  });
}

rc::Gen<double> any_finite() {
  return rc::gen::suchThat(
      rc::gen::map(rc::gen::arbitrary<std::uint64_t>(), [](auto bits) { return std::bit_cast<double>(bits); }),
      [](double value) { return value - value == 0; });
}

bool same_bits(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

template <typename Row>
Row again(const Row& row) {
  return std::get<Row>(change_from_json(to_json(row)).value());
}

RC_GTEST_PROP(ChangeJson, KeepsDoublesToTheBit, ()) {
  const double value = *any_finite();
  TrafficRow row{"a", "b", value, *rc::gen::arbitrary<std::int64_t>()};
  const TrafficRow read = again(row);
  RC_ASSERT(same_bits(read.bytes_per_s, value));
  RC_ASSERT(read.observed_at_us == row.observed_at_us);
}

TEST(ChangeJson, KeepsTheEdgesOfDoubles) {
  for (const double value :
       {0.0, -0.0, 1.0 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 9007199254740993.0}) {
    EXPECT_TRUE(same_bits(again(DataSourceRow{"a", "b", value, 0}).bytes_per_s, value)) << value;
  }
}

RC_GTEST_PROP(ChangeJson, KeepsHosts, ()) {
  HostRow row;
  row.name = *odd_text();
  row.source = *odd_text();
  row.zone = *odd_text();
  row.rack = *odd_text();
  row.state = static_cast<HostState>(*rc::gen::inRange(0, 4));
  row.aggregates = *rc::gen::container<std::vector<std::string>>(odd_text());
  row.traits = *rc::gen::container<std::vector<std::string>>(odd_text());
  row.vcpus = *any_finite();
  row.memory_reserved_mib = *any_finite();
  row.disk_allocation_ratio = *any_finite();
  row.cells.resize(*rc::gen::inRange<std::size_t>(0, 4), {*any_finite(), *any_finite()});
  if (*rc::gen::arbitrary<bool>()) row.power_watts = *any_finite();
  row.observed_at_us = *rc::gen::arbitrary<std::int64_t>();
  row.nova_state = *odd_text();
  row.generation = *rc::gen::arbitrary<std::int64_t>();

  const HostRow read = again(row);
  RC_ASSERT(read.name == row.name && read.source == row.source && read.zone == row.zone && read.rack == row.rack);
  RC_ASSERT(read.state == row.state && read.aggregates == row.aggregates && read.traits == row.traits);
  RC_ASSERT(same_bits(read.vcpus, row.vcpus) && same_bits(read.memory_reserved_mib, row.memory_reserved_mib));
  RC_ASSERT(same_bits(read.disk_allocation_ratio, row.disk_allocation_ratio) && read.cpu_allocation_ratio == 1);
  RC_ASSERT(read.cells.size() == row.cells.size());
  for (std::size_t i = 0; i < row.cells.size(); ++i) RC_ASSERT(same_bits(read.cells[i].vcpus, row.cells[i].vcpus));
  RC_ASSERT(read.power_watts == row.power_watts && !read.cpu_util && read.observed_at_us == row.observed_at_us);
  RC_ASSERT(read.nova_state == row.nova_state && read.generation == row.generation);
  RC_ASSERT(to_json(read) == to_json(row));
}

RC_GTEST_PROP(ChangeJson, KeepsVms, ()) {
  VmRow row;
  row.id = numbered(*rc::gen::arbitrary<std::uint64_t>());
  row.name = *odd_text();
  row.host = *odd_text();
  row.state = static_cast<VmState>(*rc::gen::inRange(0, 8));
  row.project = *odd_text();
  row.group = *odd_text();
  row.memory_mib = *any_finite();
  row.numa_nodes = *rc::gen::arbitrary<std::uint32_t>();
  row.cells = *rc::gen::arbitrary<std::vector<std::uint32_t>>();
  row.spread = {static_cast<SpreadBy>(*rc::gen::inRange(0, 3)), *odd_text(), *odd_text()};
  if (*rc::gen::arbitrary<bool>()) row.claim = numbered(*rc::gen::arbitrary<std::uint64_t>());

  const VmRow read = again(row);
  RC_ASSERT(read.id == row.id && read.name == row.name && read.host == row.host && read.state == row.state);
  RC_ASSERT(read.project == row.project && read.group == row.group && same_bits(read.memory_mib, row.memory_mib));
  RC_ASSERT(read.numa_nodes == row.numa_nodes && read.cells == row.cells && read.claim == row.claim);
  RC_ASSERT(read.spread.by == row.spread.by && read.spread.group == row.spread.group);
  RC_ASSERT(read.spread.domain == row.spread.domain && read.source == row.source);
}

RC_GTEST_PROP(ChangeJson, KeepsPageSamples, ()) {
  PageSampleRow row{
      *odd_text(), 1, 2, 3, *rc::gen::arbitrary<std::int64_t>(), *rc::gen::arbitrary<std::vector<std::uint64_t>>(), 5};
  const PageSampleRow read = again(row);
  RC_ASSERT(read.vm == row.vm && read.rate == row.rate && read.hashes == row.hashes);
  RC_ASSERT(read.pages == 1 && read.zero_pages == 2 && read.distinct_pages == 3 && read.observed_at_us == 5);
}

RC_GTEST_PROP(ChangeJson, KeepsGroupsAggregatesAndSources, ()) {
  const GroupRow group{*odd_text(), static_cast<GroupPolicy>(*rc::gen::inRange(0, 4)), 2.5, 7};
  const GroupRow group_read = again(group);
  RC_ASSERT(group_read.name == group.name && group_read.policy == group.policy);
  RC_ASSERT(group_read.max_per_host == 2.5 && group_read.generation == 7);

  AggregateRow aggregate{*odd_text(), {}};
  for (const auto& key : *rc::gen::container<std::vector<std::string>>(odd_text()))
    aggregate.metadata[key] = *odd_text();
  RC_ASSERT(again(aggregate).name == aggregate.name && again(aggregate).metadata == aggregate.metadata);
  RC_ASSERT(metadata_from_json(metadata_json(aggregate.metadata)) == aggregate.metadata);

  const SourceHostsRow copies{*odd_text(), *rc::gen::container<std::vector<std::string>>(odd_text())};
  RC_ASSERT(again(copies).source == copies.source && again(copies).hosts == copies.hosts);
}

TEST(ChangeJson, HasTheNamesOfTheImport) {
  HostRow row{.name = "h", .vcpus_reserved = 1, .memory_reserved_mib = 512, .disk_reserved_gib = 5, .cpu_util = 0.5};
  row.observed_at_us = 1'767'323'045'000'000;
  const std::string json = to_json(Change(row));
  EXPECT_NE(json.find(R"("reserved_vcpus":1.0,"reserved_memory_mib":512.0,"reserved_disk_gib":5.0)"), std::string::npos)
      << json;
  EXPECT_NE(json.find(R"("observed":{"cpu_util":0.5,"observed_at":"2026-01-02T03:04:05.000000Z"})"), std::string::npos)
      << json;
}

TEST(ChangeJson, ReadsTheNamesOfBefore) {
  const auto change = change_from_json(R"({"kind":"host","name":"h","state":"enabled","vcpus_reserved":1,
      "memory_reserved_mib":512,"disk_reserved_gib":5,"cpu_util":0.5,"memory_used_observed_mib":7,"observed_at_us":9})");
  ASSERT_TRUE(change) << change.error().message;
  const auto& row = std::get<HostRow>(*change);
  EXPECT_EQ(std::tuple(row.vcpus_reserved, row.memory_reserved_mib, row.disk_reserved_gib),
            std::tuple(1.0, 512.0, 5.0));
  EXPECT_EQ(std::tuple(row.cpu_util, row.memory_used_observed_mib, row.observed_at_us), std::tuple(0.5, 7.0, 9));
}

TEST(ChangeJson, KeepsRemovals) {
  EXPECT_EQ(again(HostRemoved{"a\"b"}).name, "a\"b");
  EXPECT_EQ(again(GroupRemoved{"g"}).name, "g");
  EXPECT_EQ(again(AggregateRemoved{"x"}).name, "x");
  EXPECT_EQ(again(VmRemoved{numbered(3)}).id, numbered(3));
  EXPECT_FALSE(again(VmRemoved{numbered(3)}).claim.has_value());
  EXPECT_EQ(again(VmRemoved{numbered(3), numbered(4)}).claim, numbered(4));
  EXPECT_EQ(again(VmRemoved{numbered(3), {}, "red"}).project, "red");
}

TEST(ChangeJson, RefusesWhatItNeverWrote) {
  for (const char* json :
       {"", "null", "[]", "{", R"({"kind":"vm"})", R"({"kind":"planet"})", R"({"name":"a"})", R"({"kind":1})",
        R"({"kind":"host","name":"a"})", R"({"kind":"host","name":"a","state":"asleep"})",
        R"({"kind":"host","name":7,"state":"enabled"})", R"({"kind":"host","name":"a","state":"enabled","vcpus":"8"})",
        R"({"kind":"host","name":"a","state":"enabled","traits":[1]})",
        R"({"kind":"host","name":"a","state":"enabled","numa":[7]})", R"({"kind":"group","name":"g","policy":"all"})",
        R"({"kind":"vm_removed","id":"7"})", R"({"kind":"page_sample","vm":"a","hashes":"AAAA"})",
        R"({"kind":"page_sample","vm":"a","hashes":"?"})", R"({"kind":"host_removed","name":"a"} x)"}) {
    const auto change = change_from_json(json);
    ASSERT_FALSE(change) << json;
    EXPECT_EQ(change.error().code, ErrorCode::kInvalid);
  }
}

TEST(ChangeJson, NamesTheFieldThatIsWrong) {
  const auto change = change_from_json(R"({"kind":"host","name":"a","state":"enabled","numa":[{"vcpus":"x"}]})");
  ASSERT_FALSE(change);
  EXPECT_EQ(change.error().message, "change of kind host: bad numa.vcpus");
}

TEST(ChangeJson, SurvivesDepth) {
  EXPECT_FALSE(change_from_json(std::string(1'000'000, '[')));
  EXPECT_TRUE(metadata_from_json(std::string(1'000'000, '[')).empty());
  EXPECT_TRUE(metadata_from_json("[1]").empty());
}

}  // namespace
}  // namespace emplace
