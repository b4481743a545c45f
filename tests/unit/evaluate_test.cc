#include "service/core/decide/evaluate.h"

#include "tests/unit/cluster.h"
#include "tests/unit/fake_rules.h"

#include <cmath>

namespace emplace {
namespace {

CostTable evaluate_two_hosts(const Rules& rules) {
  Cluster cluster({host("a"), host("b")});
  Candidates kept(2);
  kept.insert(0);
  kept.insert(1);
  return evaluate(rules, cluster.query(vm(1, 1)), kept);
}

TEST(Evaluate, MakesAColumnPerObjective) {
  Rules rules = rules_with({costing("x", {1, 2}), costing("y", {3, 4})});
  rules.profile.objectives[1].weight = 5;
  rules.profile.objectives[1].resolution = 7;

  const CostTable costs = evaluate_two_hosts(rules);

  ASSERT_EQ(costs.columns.size(), 2u);
  EXPECT_EQ(costs.hosts, (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(costs.columns[0].values, (std::vector<double>{1, 2}));
  EXPECT_EQ(costs.columns[0].resolution, 2);  // the objective's own
  EXPECT_EQ(costs.columns[1].resolution, 7);
  EXPECT_EQ(costs.columns[1].weight, 5);
  EXPECT_EQ(costs.columns[1].unit, "MiB");
  EXPECT_EQ(costs.complete, (std::vector<std::uint8_t>{1, 1}));
}

TEST(Evaluate, LeavesOutAndNamesAnObjectiveWithoutAnyData) {
  const CostTable costs = evaluate_two_hosts(
      rules_with({costing("x", {1, 2}), costing("silent", {0, 0}, {Quality::kNoData, Quality::kNoData})}));
  EXPECT_EQ(costs.columns.size(), 1u);
  EXPECT_EQ(costs.without_data, std::vector<std::string>{"silent"});
  EXPECT_EQ(costs.complete, (std::vector<std::uint8_t>{1, 1}));
  EXPECT_TRUE(costs.degraded.empty());
}

TEST(Evaluate, MarksHostsWithoutDataIncomplete) {
  const CostTable costs =
      evaluate_two_hosts(rules_with({costing("x", {1, std::nan("")}, {Quality::kOk, Quality::kNoData})}));
  EXPECT_EQ(costs.columns.size(), 1u);
  EXPECT_EQ(costs.complete, (std::vector<std::uint8_t>{1, 0}));
}

TEST(Evaluate, NamesStaleValuesOncePerObjective) {
  const CostTable costs = evaluate_two_hosts(rules_with({costing("x", {1, 2}, {Quality::kStale, Quality::kStale})}));
  ASSERT_EQ(costs.degraded.size(), 1u);
  EXPECT_EQ(costs.degraded[0].why, "stale values used on 2 hosts");
  EXPECT_EQ(costs.columns.size(), 1u);
  EXPECT_EQ(costs.complete, (std::vector<std::uint8_t>{1, 1}));
}

TEST(Evaluate, DropsAndNamesAnObjectiveThatFails) {
  const CostTable costs = evaluate_two_hosts(rules_with({failing_objective("broken"), costing("x", {1, 2})}));
  ASSERT_EQ(costs.degraded.size(), 1u);
  EXPECT_EQ(costs.degraded[0].plugin, "broken");
  EXPECT_EQ(costs.degraded[0].why, "no answer");
  EXPECT_EQ(costs.columns.size(), 1u);
}

TEST(Evaluate, TakesWrongLengthsAndNumbersForAFailure) {
  for (const auto& bad : {costing("bad", {1}), costing("bad", {1, std::nan("")}), costing("bad", {INFINITY, 1}),
                          costing("bad", {1, -1e301}), costing("bad", {1, 2}, {Quality::kOk})}) {
    const CostTable costs = evaluate_two_hosts(rules_with({bad}));
    EXPECT_TRUE(costs.columns.empty());
    EXPECT_EQ(costs.degraded.size(), 1u);
  }
}

TEST(Evaluate, OffersNoHostWhenAnObjectiveFailsThatMustNot) {
  Rules rules = rules_with({costing("x", {1, 2}), failing_objective("vital"), costing("y", {1, 2})});
  rules.profile.objectives[1].on_error = OnError::kFail;
  const CostTable costs = evaluate_two_hosts(rules);
  EXPECT_TRUE(costs.refused);
  EXPECT_TRUE(costs.hosts.empty());
  EXPECT_TRUE(costs.columns.empty());
  ASSERT_EQ(costs.degraded.size(), 1u);
  EXPECT_EQ(costs.degraded[0].plugin, "vital");
}

}  // namespace
}  // namespace emplace
