#include "service/core/decide/decision.h"

#include "tests/unit/cluster.h"
#include "tests/unit/fake_rules.h"

namespace emplace {
namespace {

Rules default_rules() {
  const Catalogue catalogue = built_in_rules();
  return resolve(default_profile(catalogue), catalogue).value();
}

Decision decide_on_costs(std::vector<std::shared_ptr<const Objective>> objectives, std::size_t hosts) {
  std::vector<Change> changes;
  for (std::size_t i = 0; i < hosts; ++i) changes.emplace_back(host("h" + std::to_string(i)));
  Cluster cluster(changes);
  return decide(rules_with(std::move(objectives)), cluster.query(vm(1, 1)), hosts);
}

TEST(Decide, GoesTheStraightLine) {
  // "lopsided" would have all its memory taken and most of its vCPUs stranded: "roomy" is better in both objectives.
  Cluster cluster({host("small", 2, 100, 0), host("lopsided", 16, 2000, 0), host("roomy", 16, 8000, 0)});
  const Decision decision = decide(default_rules(), cluster.query(vm(4, 2000)), 3);
  EXPECT_EQ(decision.screened.considered, 3u);
  EXPECT_EQ(decision.costs.hosts, (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(decision.costs.without_data, std::vector<std::string>{"group.fit"});
  ASSERT_EQ(decision.ranking.order.size(), 2u);
  EXPECT_EQ(decision.costs.hosts[decision.ranking.order[0].index], cluster.row("roomy"));
}

TEST(Decide, FindsNoHostInAnEmptyCluster) {
  Cluster cluster;
  const Decision decision = decide(default_rules(), cluster.query(vm(1, 1)), 4);
  EXPECT_TRUE(decision.ranking.order.empty());
  EXPECT_TRUE(decision.front.empty());
  EXPECT_FALSE(decision.front_too_wide);
}

TEST(Decide, SaysWhenTheObjectivesDisagree) {
  EXPECT_TRUE(decide_on_costs({costing("x", {1, 3, 9}), costing("y", {3, 1, 9})}, 3).front_too_wide);
  EXPECT_FALSE(decide_on_costs({costing("x", {1, 9, 9, 9}), costing("y", {1, 9, 9, 9})}, 4).front_too_wide);
}

TEST(Decide, TakesEqualHostsForNoDisagreement) {
  EXPECT_FALSE(decide_on_costs({costing("x", {1, 1, 1}), costing("y", {3, 3, 3})}, 3).front_too_wide);
  EXPECT_FALSE(decide_on_costs({costing("x", {1}), costing("y", {3})}, 1).front_too_wide);
}

TEST(Decide, WeighsInsteadForMethodNova) {
  Cluster cluster({host("a"), host("b")});
  Rules rules;
  rules.profile.method = RankMethod::kNova;
  rules.profile.weighers = {{"w"}};
  rules.weighers = {std::make_shared<FakeWeigher>("w", [](std::span<const std::uint32_t>) -> Result<Weights> {
    return Weights{{1, 2}, {}};
  })};

  const Decision decision = decide(rules, cluster.query(vm(1, 1)), 2);

  EXPECT_EQ(decision.ranking.order[0].index, 1u);
  EXPECT_EQ(decision.ranking.totals, (std::vector<double>{0, 1}));
  EXPECT_TRUE(decision.costs.columns.empty());
  EXPECT_TRUE(decision.front.empty());
}

// An affinity group's first member leaves room for the others, though another host is less loaded.
TEST(Decide, PutsAnAffinityGroupWhereItFits) {
  VmRow heavy = member(1, "big", "");
  heavy.vcpus = 32;
  heavy.memory_mib = 32000;
  Cluster cluster(
      {host("big", 64, 64000, 0), host("idle", 16, 16000, 0), heavy, GroupRow{"g", GroupPolicy::kAffinity}});
  VmRequest request = vm(8, 8000);
  request.group = "g";
  const Decision decision = decide(default_rules(), cluster.query(request), 1);
  EXPECT_EQ(decision.costs.hosts[decision.ranking.order[0].index], cluster.row("big"));
}

TEST(NotConsidered, NamesWhatNoRuleReads) {
  PlacementRequest request;
  request.parts = {"vm.vcpus", "vm.zone", "vm.group", "request_spec.pci_requests",
                   "request_spec.flavor.extra_specs.hw:cpu_policy"};
  Rules rules;
  for (const auto& filter : built_in_rules().filters) {
    if (filter->traits().id == "zone") rules.filters.push_back(filter);
  }
  EXPECT_EQ(not_considered(rules, request),
            (std::vector<std::string>{"vm.group", "request_spec.pci_requests",
                                      "request_spec.flavor.extra_specs.hw:cpu_policy"}));
}

class ReadsAll final : public Weigher {
 public:
  const RuleTraits& traits() const override { return traits_; }
  double default_multiplier() const override { return 1; }
  Result<Weights> weigh(const Query&, std::span<const std::uint32_t>) const override { return Weights{}; }

 private:
  const RuleTraits traits_{"w", "A fake.", CostClass::kCheap, {"request_spec.flavor.extra_specs.*"}};
};

TEST(NotConsidered, TakesAllBelowAStar) {
  PlacementRequest request;
  request.parts = {"request_spec.flavor.extra_specs.a", "request_spec.flavor.extra"};
  Rules rules;
  rules.weighers = {std::make_shared<ReadsAll>()};
  EXPECT_EQ(not_considered(rules, request), std::vector<std::string>{"request_spec.flavor.extra"});
}

}  // namespace
}  // namespace emplace
