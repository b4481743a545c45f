#include "tests/unit/cluster.h"
#include "tests/unit/fake_rules.h"

#include <rapidcheck/gtest.h>

#include <numeric>

#include "service/core/decide/rank.h"

namespace emplace {
namespace {

using Rows = std::vector<std::uint32_t>;

struct Told {  // what a fake weigher answers, by row
  std::vector<double> raw, multipliers = {};
  std::optional<double> minimum = {}, maximum = {};
  double multiplier = 1;       // of the profile
  bool in_one_number = false;  // all of raw are the same, and one is told
};

Rules rules_told(const std::vector<Told>& all) {
  Rules rules;
  rules.profile.method = RankMethod::kNova;
  for (const Told& told : all) {
    rules.weighers.push_back(
        std::make_shared<FakeWeigher>("w", [told](std::span<const std::uint32_t> hosts) -> Result<Weights> {
          EXPECT_TRUE(std::is_sorted(hosts.begin(), hosts.end()));
          Weights weights{{}, {}, told.minimum, told.maximum};
          for (const auto row : hosts) weights.raw.push_back(told.raw[row]);
          if (told.in_one_number) weights.raw.resize(1);
          for (const auto row : hosts) {
            if (!told.multipliers.empty()) weights.multipliers.push_back(told.multipliers[row]);
          }
          return weights;
        }));
    rules.profile.weighers.push_back({"w", told.multiplier});
  }
  return rules;
}

Cluster nova_cluster(std::size_t count) {
  std::vector<Change> changes;
  for (std::size_t i = 0; i < count; ++i) changes.emplace_back(host("h" + std::to_string(i)));
  return Cluster(changes);
}

Ranking weigh(const std::vector<Told>& all, const Rows& hosts, std::size_t wanted = SIZE_MAX) {
  Cluster cluster = nova_cluster(all.empty() ? 10 : all.front().raw.size());
  return rank_by_weight(rules_told(all), cluster.query(vm(1, 1)), hosts, wanted);
}

Rows order_of(const Ranking& ranking) {
  Rows order;
  for (const Ranked& ranked : ranking.order) order.push_back(ranked.index);
  return order;
}

TEST(RankByWeight, PutsTheGreatestSumFirst) {
  const Ranking ranking = weigh({{.raw = {0, 5, 10}}, {.raw = {8, 4, 0}, .multiplier = 3}}, {0, 1, 2});
  EXPECT_EQ(order_of(ranking), (Rows{0, 1, 2}));
  EXPECT_EQ(ranking.totals, (std::vector<double>{3, 2, 1}));
  EXPECT_EQ(ranking.order[0].score, -3);
}

TEST(RankByWeight, KeepsTheOrderThatCameInOnTies) {
  EXPECT_EQ(order_of(weigh({{.raw = {1, 1, 1, 2}}}, {2, 0, 3, 1})), (Rows{2, 0, 1, 3}));
}

TEST(RankByWeight, DoesNotWeighASingleHost) {
  const Ranking ranking = weigh({{.raw = {7}}}, {0});
  EXPECT_EQ(ranking.totals, std::vector<double>{0});
  EXPECT_TRUE(ranking.weights.empty());
  EXPECT_EQ(order_of(ranking), Rows{0});
}

TEST(RankByWeight, TakesAWeighersOwnBounds) {
  const Ranking ranking = weigh({{.raw = {-4, 5, 10}, .minimum = 0}}, {0, 1, 2});
  EXPECT_EQ(ranking.weights[0].raw, (std::vector<double>{-4, 5, 10}));
  const WeighedColumn& column = ranking.weights[0];
  EXPECT_EQ((std::vector{column.normalised(0), column.normalised(1), column.normalised(2)}),
            (std::vector<double>{0, 0.5, 1}));
}

TEST(RankByWeight, GivesNothingWhereAllAreEqual) {
  EXPECT_EQ(weigh({{.raw = {5, 5}}}, {0, 1}).totals, (std::vector<double>{0, 0}));
}

TEST(RankByWeight, MultipliesPerHostWhereTheWeigherSaysSo) {
  EXPECT_EQ(weigh({{.raw = {0, 1, 1}, .multipliers = {9, 2, -2}}}, {0, 1, 2}).totals, (std::vector<double>{0, 2, -2}));
}

TEST(RankByWeight, LeavesOutAndNamesAWeigherThatFails) {
  Cluster cluster = nova_cluster(2);
  Rules rules = rules_told({{.raw = {0, 1}}});
  rules.weighers.insert(rules.weighers.begin(),
                        std::make_shared<FakeWeigher>("broken", [](std::span<const std::uint32_t>) -> Result<Weights> {
                          return fail(ErrorCode::kInternal, "crashed");
                        }));
  rules.profile.weighers.insert(rules.profile.weighers.begin(), {"broken"});

  const Ranking ranking = rank_by_weight(rules, cluster.query(vm(1, 1)), Rows{0, 1}, 2);

  ASSERT_EQ(ranking.degraded.size(), 1u);
  EXPECT_EQ(ranking.degraded[0].plugin, "broken");
  EXPECT_EQ(ranking.totals, (std::vector<double>{0, 1}));
}

TEST(RankByWeight, TakesAnInfiniteWeightForAFailure) {
  EXPECT_EQ(weigh({{.raw = {1, std::numeric_limits<double>::infinity()}}}, {0, 1}).degraded.size(), 1u);
}

TEST(RankByWeight, GivesAHostWithoutDataTheLeastWeightOfTheOthers) {
  const double none = std::nan("");
  const Ranking liked = weigh({{.raw = {4, none, 2}}}, {0, 1, 2});
  EXPECT_EQ(liked.totals, (std::vector<double>{1, 0, 0}));
  ASSERT_EQ(liked.degraded.size(), 1u);
  EXPECT_NE(liked.degraded[0].why.find("1 of 3 hosts have no data"), std::string::npos) << liked.degraded[0].why;

  const Ranking disliked = weigh({{.raw = {4, none, 2}, .multipliers = {-1, -1, -1}}}, {0, 1, 2});
  EXPECT_EQ(disliked.totals, (std::vector<double>{-1, -1, 0})) << "as bad as the worst";
}

TEST(RankByWeight, LeavesOutAWeigherWithoutAnyData) {
  const double none = std::nan("");
  for (const bool in_one_number : {false, true}) {
    const Ranking ranking = weigh({{.raw = {none, none}, .in_one_number = in_one_number}, {.raw = {0, 1}}}, {0, 1});
    EXPECT_EQ(ranking.totals, (std::vector<double>{0, 1}));
    ASSERT_EQ(ranking.degraded.size(), 1u);
    EXPECT_NE(ranking.degraded[0].why.find("none of 2 hosts has data"), std::string::npos) << ranking.degraded[0].why;
  }
}

TEST(RankByWeight, BreaksTiesByHashWhenNobodyNamedAnOrder) {
  Cluster cluster = nova_cluster(30);
  const Query query = cluster.query(vm(1, 1));
  Rows hosts(30);
  std::iota(hosts.begin(), hosts.end(), 0u);
  const Rows order = order_of(rank_by_weight(rules_told({}), query, hosts, 30, Ties::kHash));
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end(),
                             [&](auto a, auto b) { return tie_hash(query, a) < tie_hash(query, b); }));
}

// Nova's own steps, one host after the other.
std::vector<double> totals_by_definition(const std::vector<Told>& all, const Rows& hosts) {
  std::vector<double> totals(hosts.size(), 0.0);
  for (const Told& told : all) {
    std::vector<double> weights;
    for (const auto row : hosts) {
      double weight = told.raw[row];
      if (told.minimum) weight = std::max(weight, *told.minimum);
      if (told.maximum) weight = std::min(weight, *told.maximum);
      weights.push_back(weight);
    }
    const double low = told.minimum ? *told.minimum : *std::min_element(weights.begin(), weights.end());
    const double high = told.maximum ? *told.maximum : *std::max_element(weights.begin(), weights.end());
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const double normalised = low == high ? 0 : (weights[i] - low) / (high - low);
      totals[i] += (told.multipliers.empty() ? told.multiplier : told.multipliers[hosts[i]]) * normalised;
    }
  }
  return totals;
}

RC_GTEST_PROP(RankByWeight, EqualsNovaToTheBit, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(2, 40);
  const auto number = rc::gen::map(rc::gen::inRange(-50, 50), [](int n) { return n / 7.0; });
  const auto bound = rc::gen::element<std::optional<double>>(std::nullopt, 0.0);
  std::vector<Told> all(*rc::gen::inRange<std::size_t>(1, 5));
  for (Told& told : all) {
    told.raw = *rc::gen::container<std::vector<double>>(count, number);
    if (*rc::gen::arbitrary<bool>()) told.multipliers = *rc::gen::container<std::vector<double>>(count, number);
    told.minimum = *bound;
    if (*rc::gen::inRange(0, 4) == 0) told.maximum = 3.5;
    told.multiplier = *number;
  }
  Rows hosts(count);
  std::iota(hosts.begin(), hosts.end(), 0u);
  for (std::size_t i = count; i > 1; --i) std::swap(hosts[i - 1], hosts[*rc::gen::inRange<std::size_t>(0, i)]);
  const auto wanted = *rc::gen::inRange<std::size_t>(0, count + 2);

  for (Told& told : all) {
    if (*rc::gen::inRange(0, 4) == 0) told.raw.assign(count, *number), told.in_one_number = true;
  }

  const Ranking ranking = weigh(all, hosts, wanted);

  const auto totals = totals_by_definition(all, hosts);
  RC_ASSERT(ranking.totals == totals);
  Rows order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return totals[a] > totals[b]; });
  order.resize(std::min(wanted, count));
  RC_ASSERT(order_of(ranking) == order);
}

}  // namespace
}  // namespace emplace
