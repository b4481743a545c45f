#include "service/core/decide/rules.h"
#include "service/core/decide/screen.h"

#include "tests/unit/cluster.h"

#include <rapidcheck/gtest.h>

namespace emplace {
namespace {

using Names = std::vector<std::string>;

const Filter& filter(std::string_view id) {
  static const Catalogue catalogue = built_in_rules();
  for (const auto& filter : catalogue.filters) {
    if (filter->traits().id == id) return *filter;
  }
  throw std::invalid_argument(std::string(id));
}

struct Outcome {
  Names kept;
  std::map<std::string, Refusal> refused;
};

// Lets the filter refuse from all living hosts.
Outcome outcome(const Cluster& cluster, const Query& query, std::string_view id) {
  const Picture& picture = cluster.picture();
  Candidates kept(picture.rows(Table::kHosts));
  for (std::uint32_t row = 0; row < kept.rows(); ++row) {
    if (picture[hosts::alive][row] == 1) kept.insert(row);
  }
  std::vector<std::uint8_t> reasons(kept.rows());
  EXPECT_TRUE(filter(id).screen(query, kept, reasons));
  Outcome outcome;
  for (std::uint32_t row = 0; row < kept.rows(); ++row) {
    if (kept.has(row)) outcome.kept.push_back(cluster.name(row));
    if (reasons[row] != 0) outcome.refused[cluster.name(row)] = filter(id).explain(query, row, reasons[row]);
  }
  return outcome;
}

void expect_refusal(const Refusal& refusal, std::string_view code, const RuleValue& wanted, const RuleValue& found,
                    std::string_view unit = "") {
  EXPECT_EQ(refusal.code, code);
  EXPECT_EQ(refusal.wanted, wanted);
  EXPECT_EQ(refusal.found, found);
  EXPECT_EQ(refusal.unit, unit);
}

TEST(CapacityFilter, RefusesWhatDoesNotFitAndSaysWhy) {
  Cluster cluster(
      {host("fits", 4, 100, 10), host("slow", 3, 100, 10), host("small", 4, 99, 10), host("full", 4, 100, 9)});
  const Outcome result = outcome(cluster, cluster.query(vm(4, 100, 10)), "capacity");
  EXPECT_EQ(result.kept, Names{"fits"});
  expect_refusal(result.refused.at("slow"), "capacity.vcpus", 4.0, 3.0, "vcpus");
  expect_refusal(result.refused.at("small"), "capacity.memory", 100.0, 99.0, "MiB");
  expect_refusal(result.refused.at("full"), "capacity.disk", 10.0, 9.0, "GiB");
}

TEST(CapacityFilter, CountsRatiosAndReservedAmounts) {
  HostRow row = host("a", 10, 1000, 0);
  row.vcpus_reserved = 2;
  row.cpu_allocation_ratio = 1.5;
  row.memory_reserved_mib = 100;
  Cluster cluster({row});
  EXPECT_EQ(outcome(cluster, cluster.query(vm(12, 900)), "capacity").kept, Names{"a"});
  EXPECT_EQ(outcome(cluster, cluster.query(vm(13, 900)), "capacity").kept, Names{});
  EXPECT_EQ(outcome(cluster, cluster.query(vm(12, 901)), "capacity").kept, Names{});
}

TEST(CapacityFilter, LetsAVmWithoutDiskOntoAnOverfullDisk) {
  VmRow big = member(1, "a", "");
  big.disk_gib = 20;
  Cluster cluster({host("a", 4, 100, 10), big});
  EXPECT_EQ(outcome(cluster, cluster.query(vm(1, 1, 0)), "capacity").kept, Names{"a"});
}

TEST(CapacityFilter, FitsNumaNodesIntoCells) {
  Cluster cluster({host_with_cells("two", {{8, 80}, {8, 80}}), host_with_cells("lopsided", {{12, 120}, {4, 40}}),
                   host("none", 16, 160)});
  VmRequest request = vm(16, 160);
  request.numa_nodes = 2;
  const Outcome result = outcome(cluster, cluster.query(request), "capacity");
  EXPECT_EQ(result.kept, Names{"two"});
  expect_refusal(result.refused.at("lopsided"), "capacity.numa", 2.0, 1.0, "cells with room");
  expect_refusal(result.refused.at("none"), "capacity.numa", 2.0, 0.0, "cells with room");
}

// Words of 64 rows, chunks of 4,096: the same as asking each host.
RC_GTEST_PROP(CapacityFilter, EqualsAskingEachHost, ()) {
  const auto count = *rc::gen::element<std::size_t>(1, 63, 64, 65, 130, 4096, 4097, 4170);
  const auto seed = *rc::gen::inRange<std::uint32_t>(1, 1000);
  std::vector<Change> changes;
  for (std::size_t i = 0; i < count; ++i) {
    const double spin = static_cast<double>((i * 2654435761u + seed) % 17);
    changes.emplace_back(host("h" + std::to_string(i), spin, 17 - spin, 8));
  }
  Cluster cluster(changes);
  Names expected;
  for (const Change& change : changes) {
    const HostRow& row = std::get<HostRow>(change);
    if (row.vcpus >= 5 && row.memory_mib >= 6) expected.push_back(row.name);
  }
  RC_ASSERT(outcome(cluster, cluster.query(vm(5, 6, 8)), "capacity").kept == expected);
}

TEST(StateFilter, KeepsEnabledHosts) {
  const auto in_state = [](std::string name, HostState state) {
    HostRow row = host(std::move(name));
    row.state = state;
    return row;
  };
  Cluster cluster({in_state("on", HostState::kEnabled), in_state("off", HostState::kDisabled),
                   in_state("repair", HostState::kMaintenance), in_state("dead", HostState::kDown)});
  const Outcome result = outcome(cluster, cluster.query(vm(1, 1)), "state");
  EXPECT_EQ(result.kept, Names{"on"});
  expect_refusal(result.refused.at("off"), "state.disabled", "enabled", "disabled");
  expect_refusal(result.refused.at("repair"), "state.maintenance", "enabled", "maintenance");
  expect_refusal(result.refused.at("dead"), "state.down", "enabled", "down");
}

TEST(ZoneFilter, KeepsTheZoneAskedFor) {
  HostRow east = host("east"), west = host("west");
  east.zone = "z-east";
  west.zone = "z-west";
  Cluster cluster({east, west, host("nowhere")});
  VmRequest request = vm(1, 1);
  EXPECT_EQ(outcome(cluster, cluster.query(request), "zone").kept.size(), 3u);
  request.zone = "z-east";
  const Outcome result = outcome(cluster, cluster.query(request), "zone");
  EXPECT_EQ(result.kept, Names{"east"});
  expect_refusal(result.refused.at("west"), "zone.other", "z-east", "z-west");
  expect_refusal(result.refused.at("nowhere"), "zone.other", "z-east", {});
  request.zone = "z-unheard-of";
  EXPECT_EQ(outcome(cluster, cluster.query(request), "zone").kept, Names{});
}

TEST(TraitsFilter, WantsAllAndNoneForbidden) {
  HostRow both = host("both"), one = host("one"), bad = host("bad");
  both.traits = {"SSD", "AVX"};
  one.traits = {"SSD"};
  bad.traits = {"AVX", "SSD", "OLD"};
  Cluster cluster({both, one, bad});
  VmRequest request = vm(1, 1);
  request.traits = {"SSD", "AVX"};
  request.forbidden_traits = {"NEVER_SEEN", "OLD"};
  const Outcome result = outcome(cluster, cluster.query(request), "traits");
  EXPECT_EQ(result.kept, Names{"both"});
  expect_refusal(result.refused.at("one"), "traits.missing", "AVX", {});
  expect_refusal(result.refused.at("bad"), "traits.forbidden", "without OLD", "OLD");
}

TEST(TraitsFilter, RefusesAllForATraitNobodyHas) {
  Cluster cluster({host("a")});
  VmRequest request = vm(1, 1);
  request.traits = {"NEVER_SEEN"};
  EXPECT_EQ(outcome(cluster, cluster.query(request), "traits").kept, Names{});
}

Outcome grouped(GroupPolicy policy, double max_per_host, const std::vector<Change>& members) {
  std::vector<Change> changes{host("a"), host("b"), host("c"), GroupRow{"g", policy, max_per_host}};
  changes.insert(changes.end(), members.begin(), members.end());
  Cluster cluster(changes);
  VmRequest request = vm(1, 1);
  request.group = "g";
  return outcome(cluster, cluster.query(request), "group");
}

TEST(GroupFilter, KeepsTheHostOfItsAffinityGroup) {
  const Outcome result = grouped(GroupPolicy::kAffinity, 1, {member(1, "b", "g"), member(2, "b", "g")});
  EXPECT_EQ(result.kept, Names{"b"});
  expect_refusal(result.refused.at("a"), "group.affinity", "b", "a");
}

TEST(GroupFilter, LetsTheFirstMemberGoAnywhere) {
  EXPECT_EQ(grouped(GroupPolicy::kAffinity, 1, {}).kept.size(), 3u);
  EXPECT_EQ(grouped(GroupPolicy::kAntiAffinity, 1, {}).kept.size(), 3u);
}

TEST(GroupFilter, RefusesHostsThatHaveEnoughOfAnAntiAffinityGroup) {
  const std::vector<Change> members{member(1, "a", "g"), member(2, "b", "g"), member(3, "b", "g")};
  EXPECT_EQ(grouped(GroupPolicy::kAntiAffinity, 1, members).kept, Names{"c"});
  const Outcome result = grouped(GroupPolicy::kAntiAffinity, 2, members);
  EXPECT_EQ(result.kept, (Names{"a", "c"}));
  expect_refusal(result.refused.at("b"), "group.anti_affinity", 1.0, 2.0, "members");
}

TEST(GroupFilter, RefusesNobodyForASoftPolicy) {
  for (const GroupPolicy policy : {GroupPolicy::kSoftAffinity, GroupPolicy::kSoftAntiAffinity}) {
    EXPECT_EQ(grouped(policy, 1, {member(1, "a", "g")}).kept.size(), 3u);
  }
}

TEST(GroupFilter, JudgesNoHostWhereGroupsWereNotRead) {
  HostRow of_cloud = host("a");
  of_cloud.nova_state = R"({"unread":["server_groups"]})";
  Cluster cluster({of_cloud, host("b")});
  VmRequest request = vm(1, 1);
  request.group = "g";
  Rules rules;
  for (const auto& filter : built_in_rules().filters) {
    if (filter->traits().id == "group") rules.filters = {filter};
  }

  const Screened screened = screen(rules, cluster.query(request));

  EXPECT_EQ(screened.kept.count(), 2u);
  ASSERT_EQ(screened.unjudged.size(), 1u);
  EXPECT_EQ(screened.unjudged[0].hosts, 2u);
  EXPECT_EQ(screened.unjudged[0].first.code, "group.unread");
}

HostRow racked(std::string name, std::string rack) {
  HostRow row = host(std::move(name));
  row.rack = std::move(rack);
  row.zone = "zone of " + row.rack;
  return row;
}

VmRow replica(std::uint8_t number, std::string on_host, std::string domain, SpreadBy by) {
  VmRow row = member(number, std::move(on_host), "");
  row.spread = {by, "db", std::move(domain)};
  return row;
}

Outcome spread(SpreadBy by, const std::vector<Change>& replicas) {
  std::vector<Change> changes{racked("a1", "a"), racked("a2", "a"), racked("b1", "b"), host("free"), host("free2")};
  changes.insert(changes.end(), replicas.begin(), replicas.end());
  Cluster cluster(changes);
  VmRequest request = vm(1, 1);
  request.spread = {by, "db", "one"};
  return outcome(cluster, cluster.query(request), "spread");
}

TEST(SpreadFilter, RefusesRacksOfOtherDomains) {
  const Outcome result = spread(SpreadBy::kRack, {replica(1, "a1", "two", SpreadBy::kRack)});
  EXPECT_EQ(result.kept, (Names{"b1", "free", "free2"}));
  expect_refusal(result.refused.at("a2"), "spread.rack", "a rack without other domains of db", "a");
}

TEST(SpreadFilter, LetsItsOwnDomainShareARack) {
  EXPECT_EQ(spread(SpreadBy::kRack, {replica(1, "a1", "one", SpreadBy::kRack)}).kept.size(), 5u);
}

TEST(SpreadFilter, TakesAHostWithoutARackAsItsOwnDomain) {
  const Outcome result = spread(SpreadBy::kRack, {replica(1, "free", "two", SpreadBy::kRack)});
  EXPECT_EQ(result.kept, (Names{"a1", "a2", "b1", "free2"}));
  expect_refusal(result.refused.at("free"), "spread.rack", "a rack without other domains of db", "free");
}

TEST(SpreadFilter, SpreadsByZone) {
  const Outcome result = spread(SpreadBy::kZone, {replica(1, "a1", "two", SpreadBy::kZone)});
  EXPECT_EQ(result.kept, (Names{"b1", "free", "free2"}));
  EXPECT_EQ(result.refused.at("a1").code, "spread.zone");
}

}  // namespace
}  // namespace emplace
