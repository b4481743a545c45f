#include "service/core/decide/rules.h"

#include "tests/unit/cluster.h"

#include <rapidcheck/gtest.h>

#include <cmath>
#include <numeric>

namespace emplace {
namespace {

Costs costs_of(const Cluster& cluster, const Query& query, std::string_view id) {
  std::vector<std::uint32_t> rows(cluster.picture().rows(Table::kHosts));
  std::iota(rows.begin(), rows.end(), 0u);
  for (const auto& objective : built_in_rules().objectives) {
    if (objective->traits().id == id) return objective->evaluate(query, rows).value();
  }
  throw std::invalid_argument(std::string(id));
}

std::vector<double> values_of(const Cluster& cluster, const Query& query, std::string_view id) {
  const Costs costs = costs_of(cluster, query, id);
  EXPECT_EQ(costs.quality, std::vector<Quality>(costs.values.size(), Quality::kOk));
  return costs.values;
}

VmRow using_up(std::uint8_t number, std::string on_host, double vcpus, double memory_mib) {
  VmRow row = member(number, std::move(on_host), "");
  row.vcpus = vcpus;
  row.memory_mib = memory_mib;
  return row;
}

TEST(LoadObjective, TakesTheFullestResourceAfterPlacing) {
  Cluster cluster(
      {host("cpu", 10, 100, 100), host("memory", 100, 10, 100), host("disk", 100, 100, 10), using_up(1, "cpu", 3, 0)});
  EXPECT_EQ(values_of(cluster, cluster.query(vm(2, 4, 6)), "resource.load"), (std::vector<double>{50, 40, 60}));
}

TEST(LoadObjective, LeavesOutWhatTheHostHasNoneOf) {
  Cluster cluster({host("diskless", 10, 100, 0)});
  EXPECT_EQ(values_of(cluster, cluster.query(vm(1, 20)), "resource.load"), std::vector<double>{20});
}

TEST(StrandingObjective, IsNothingForAVmInTheHostsProportions) {
  Cluster cluster({host("a", 16, 160, 0)});
  // The whole host, and a half of it: what is left is whole halves, quarters and eighths, but no whole host any more.
  EXPECT_EQ(values_of(cluster, cluster.query(vm(16, 160)), "resource.stranding"), std::vector<double>{0});
  EXPECT_EQ(values_of(cluster, cluster.query(vm(8, 80)), "resource.stranding"), std::vector<double>{12.5});
}

TEST(StrandingObjective, PricesWhatTheOtherResourceLeavesBehind) {
  Cluster cluster({host("a", 16, 160, 0)});
  // All vCPUs and no memory: half of the capacity is free, none of it usable.
  EXPECT_EQ(values_of(cluster, cluster.query(vm(16, 0)), "resource.stranding"), std::vector<double>{50});
}

TEST(StrandingObjective, IsNegativeWhereItFillsAGap) {
  Cluster cluster({host("a", 16, 160, 0), using_up(1, "a", 16, 0)});
  EXPECT_EQ(values_of(cluster, cluster.query(vm(0, 160)), "resource.stranding"), std::vector<double>{-50});
}

TEST(StrandingObjective, PrefersThePartlyUsedHost) {
  Cluster cluster({host("used", 16, 160, 0), host("empty", 16, 160, 0), using_up(1, "used", 2, 20)});
  const auto costs = values_of(cluster, cluster.query(vm(2, 20)), "resource.stranding");
  EXPECT_LT(costs[0], costs[1]);
}

TEST(StrandingObjective, SeesThatOneFullCellEndsTheWholeHost) {
  Cluster cluster({host_with_cells("cells", {{8, 80}, {8, 80}}), host("plain", 16, 160, 0)});
  VmRequest request = vm(8, 80);
  request.numa_nodes = 1;
  const auto costs = values_of(cluster, cluster.query(request), "resource.stranding");
  EXPECT_EQ(costs[0], 50);  // the free half lies in one cell, where no evenly spread shape fits
  EXPECT_EQ(costs[1], 12.5);
}

double stranded_by_definition(const std::vector<double>& capacity, const std::vector<double>& free) {
  double total = 0, resources = 0, stranded = 0;
  for (std::size_t r = 0; r < capacity.size(); ++r) {
    if (capacity[r] <= 0) continue;
    resources += 1;
    total += std::max(free[r], 0.0) / capacity[r];
  }
  for (const double size : {1.0, 0.5, 0.25, 0.125}) {
    double copies = 1 / size;
    for (std::size_t r = 0; r < capacity.size(); ++r) {
      if (capacity[r] > 0) copies = std::min(copies, std::floor(std::max(free[r], 0.0) / (size * capacity[r])));
    }
    stranded += total / resources - copies * size;
  }
  return 100 * stranded / 4;
}

RC_GTEST_PROP(StrandingObjective, EqualsItsDefinition, ()) {
  std::vector<double> capacity, used, wanted;
  for (int r = 0; r < 3; ++r) {
    capacity.push_back(*rc::gen::inRange(r == 2 ? 0 : 1, 40));
    used.push_back(*rc::gen::inRange(0, 44));
    wanted.push_back(*rc::gen::inRange(0, 20));
  }
  VmRow taken = using_up(1, "a", used[0], used[1]);
  taken.disk_gib = used[2];
  Cluster cluster({host("a", capacity[0], capacity[1], capacity[2]), taken});

  const auto costs = values_of(cluster, cluster.query(vm(wanted[0], wanted[1], wanted[2])), "resource.stranding");

  std::vector<double> before, after;
  for (std::size_t r = 0; r < 3; ++r) {
    before.push_back(capacity[r] - used[r]);
    after.push_back(capacity[r] - used[r] - wanted[r]);
  }
  RC_ASSERT(std::abs(costs[0] - (stranded_by_definition(capacity, after) - stranded_by_definition(capacity, before))) <
            1e-9);
}

// ---- group.fit

Query grouped(Cluster& cluster, VmRequest request = vm(4, 10)) {
  request.group = "g";
  return cluster.query(request);
}

TEST(GroupFitObjective, HasNoDataWithoutASoftWish) {
  Cluster cluster({host("a"), GroupRow{"g", GroupPolicy::kAntiAffinity}, GroupRow{"h", GroupPolicy::kAffinity},
                   member(1, "a", "h")});
  const std::vector<Quality> none{Quality::kNoData};
  EXPECT_EQ(costs_of(cluster, cluster.query(vm(1, 1)), "group.fit").quality, none);
  EXPECT_EQ(costs_of(cluster, grouped(cluster), "group.fit").quality, none);
  VmRequest request = vm(1, 1);
  request.group = "h";
  EXPECT_EQ(costs_of(cluster, cluster.query(request), "group.fit").quality, none);
}

TEST(GroupFitObjective, CountsMembersOnTheHostForSoftAntiAffinity) {
  Cluster cluster(
      {host("a"), host("b"), GroupRow{"g", GroupPolicy::kSoftAntiAffinity}, member(1, "b", "g"), member(2, "b", "g")});
  EXPECT_EQ(values_of(cluster, grouped(cluster), "group.fit"), (std::vector<double>{0, 2}));
}

TEST(GroupFitObjective, CountsMembersElsewhereForSoftAffinity) {
  Cluster cluster({host("a"), host("b"), GroupRow{"g", GroupPolicy::kSoftAffinity}, member(1, "a", "g"),
                   member(2, "b", "g"), member(3, "b", "g")});
  EXPECT_EQ(values_of(cluster, grouped(cluster), "group.fit"), (std::vector<double>{2, 1}));
}

TEST(GroupFitObjective, SendsTheFirstMemberWhereMostCanFollow) {
  Cluster cluster(
      {host("four", 16, 1000), host("two", 100, 20), host("one", 4, 10), GroupRow{"g", GroupPolicy::kAffinity}});
  EXPECT_EQ(values_of(cluster, grouped(cluster), "group.fit"), (std::vector<double>{0, 2, 3}));
}

TEST(GroupFitObjective, CountsWhatFitsIntoCells) {
  Cluster cluster({host_with_cells("even", {{8, 99}, {8, 99}}), host_with_cells("lopsided", {{12, 99}, {4, 99}}),
                   GroupRow{"g", GroupPolicy::kAffinity}});
  VmRequest request = vm(4, 10);
  request.numa_nodes = 2;
  EXPECT_EQ(values_of(cluster, grouped(cluster, request), "group.fit"), (std::vector<double>{0, 2}));
}

}  // namespace
}  // namespace emplace
