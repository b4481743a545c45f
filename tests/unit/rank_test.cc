#include "service/core/decide/rank.h"

#include "tests/unit/cluster.h"

#include <rapidcheck/gtest.h>

#include <cmath>
#include <numeric>

namespace emplace {
namespace {

using Names = std::vector<std::string>;

constexpr RankMethod kFrontMethods[] = {RankMethod::kChebyshev, RankMethod::kKnee, RankMethod::kLexicographic,
                                        RankMethod::kWeightedSum, RankMethod::kTopsis};

Rules rules_of(RankMethod method) {
  Rules rules;
  rules.profile.method = method;
  return rules;
}

Cluster cluster_of(std::size_t count) {
  std::vector<Change> changes;
  for (std::size_t i = 0; i < count; ++i) changes.emplace_back(host("h" + std::to_string(i)));
  return Cluster(changes);
}

// One column per list; NaN stands for no data.
CostTable table_with(const std::vector<std::vector<double>>& columns, const std::vector<double>& weights = {}) {
  CostTable table;
  table.hosts.resize(columns.front().size());
  std::iota(table.hosts.begin(), table.hosts.end(), 0u);
  table.complete.assign(table.hosts.size(), 1);
  for (std::size_t k = 0; k < columns.size(); ++k) {
    CostColumn& column = table.columns.emplace_back();
    column.values = columns[k];
    column.weight = weights.empty() ? 1 : weights[k];
    for (std::size_t i = 0; i < columns[k].size(); ++i) {
      const bool missing = std::isnan(columns[k][i]);
      column.quality.push_back(missing ? Quality::kNoData : Quality::kOk);
      if (missing) table.complete[i] = 0;
    }
  }
  return table;
}

std::vector<std::uint32_t> indices(const Ranking& ranking) {
  std::vector<std::uint32_t> indices;
  for (const Ranked& ranked : ranking.order) indices.push_back(ranked.index);
  return indices;
}

Ranking rank_all(RankMethod method, const CostTable& costs, std::size_t wanted = SIZE_MAX) {
  Cluster cluster = cluster_of(costs.hosts.size());
  const Query query = cluster.query(vm(1, 1));
  return rank(rules_of(method), query, costs, pareto_front(costs), wanted);
}

// A front on which the methods differ: host 0 and 4 are the extremes, 2 lies deepest below the line between them, and 1
// is the one of least greatest cost when the second column is weighed.
const std::vector<std::vector<double>> kFront{{0, 30, 35, 80, 100}, {100, 60, 30, 20, 0}};

TEST(Rank, PicksTheLeastGreatestScaledCost) {
  EXPECT_EQ(rank_all(RankMethod::kChebyshev, table_with(kFront)).order[0].index, 2u);
  EXPECT_DOUBLE_EQ(rank_all(RankMethod::kChebyshev, table_with(kFront)).order[0].score, 0.35);
}

TEST(Rank, PicksTheLeastFirstCostLexicographically) {
  EXPECT_EQ(indices(rank_all(RankMethod::kLexicographic, table_with(kFront))),
            (std::vector<std::uint32_t>{0, 1, 2, 3, 4}));
}

TEST(Rank, PicksTheLeastWeightedSum) {
  EXPECT_EQ(rank_all(RankMethod::kWeightedSum, table_with(kFront, {1, 10})).order[0].index, 4u);
  EXPECT_EQ(rank_all(RankMethod::kWeightedSum, table_with(kFront, {10, 1})).order[0].index, 0u);
}

TEST(Rank, PicksTheKneeWhateverTheWeights) {
  const Ranking ranking = rank_all(RankMethod::kKnee, table_with(kFront, {1, 10}));
  EXPECT_EQ(ranking.order[0].index, 2u);
  EXPECT_DOUBLE_EQ(ranking.order[0].score, -(1 - 0.65) / std::sqrt(2));
}

// C.-L. Hwang and K. Yoon's closeness, here for two criteria: d- / (d+ + d-).
TEST(Rank, PicksTheGreatestCloseness) {
  const Ranking ranking = rank_all(RankMethod::kTopsis, table_with(kFront));
  const double ideal = std::hypot(0.35, 0.30), worst = std::hypot(0.65, 0.70);
  EXPECT_EQ(ranking.order[0].index, 2u);
  EXPECT_DOUBLE_EQ(ranking.order[0].score, 1 - worst / (ideal + worst));
}

// Dominated hosts come in the order of their fronts, and only the first front is marked.
TEST(Rank, PeelsFrontAfterFront) {
  for (const RankMethod method : kFrontMethods) {
    const Ranking ranking = rank_all(method, table_with({{3, 1, 2, 0}, {3, 1, 2, 0}}));
    EXPECT_EQ(indices(ranking), (std::vector<std::uint32_t>{3, 1, 2, 0}));
    EXPECT_TRUE(ranking.order[0].front);
    EXPECT_FALSE(ranking.order[1].front);
  }
}

TEST(Rank, PutsHostsWithoutDataLast) {
  const double none = std::nan("");
  for (const RankMethod method : kFrontMethods) {
    const Ranking ranking = rank_all(method, table_with({{0, 90, 1, 5}, {none, 90, none, 2}}));
    EXPECT_EQ(indices(ranking), (std::vector<std::uint32_t>{3, 1, 0, 2}));
  }
}

TEST(Rank, TakesNoMoreThanWanted) {
  EXPECT_EQ(rank_all(RankMethod::kChebyshev, table_with(kFront), 2).order.size(), 2u);
  EXPECT_TRUE(rank_all(RankMethod::kChebyshev, table_with(kFront), 0).order.empty());
}

TEST(Rank, OrdersNobodyWhenNobodyIsLeft) {
  for (const RankMethod method : kFrontMethods) EXPECT_TRUE(rank_all(method, table_with({{}, {}})).order.empty());
}

TEST(Rank, BreaksTiesByHash) {
  Cluster cluster = cluster_of(20);
  const CostTable costs = table_with({std::vector<double>(20, 7)});
  VmRequest request = vm(1, 1);
  request.name = "one";
  const Query query = cluster.query(request);

  const auto order = indices(rank(rules_of(RankMethod::kChebyshev), query, costs, pareto_front(costs), 20));

  EXPECT_TRUE(std::is_sorted(order.begin(), order.end(),
                             [&](auto a, auto b) { return tie_hash(query, a) < tie_hash(query, b); }));
}

TEST(TieHash, DiffersByVmAndByHost) {
  Cluster cluster = cluster_of(2);
  VmRequest request = vm(1, 1);
  request.id = uuid_of(1);
  const Query first = cluster.query(request);
  const std::uint64_t hash = tie_hash(first, 0);
  EXPECT_NE(tie_hash(first, 1), hash);
  request.id = uuid_of(2);
  EXPECT_NE(tie_hash(cluster.query(request), 0), hash);
}

// ---- the scores by their definitions, host by host

using Matrix = std::vector<std::vector<double>>;  // scaled costs of one front: hosts × columns

Matrix scaled(const CostTable& costs, const std::vector<std::uint32_t>& front) {
  Matrix matrix(front.size());
  for (const CostColumn& column : costs.columns) {
    double low = INFINITY, high = -INFINITY;
    for (const auto i : front) low = std::min(low, column.values[i]), high = std::max(high, column.values[i]);
    for (std::size_t h = 0; h < front.size(); ++h) {
      matrix[h].push_back(low < high ? (column.values[front[h]] - low) / (high - low) : 0);
    }
  }
  return matrix;
}

double score_by_definition(RankMethod method, const std::vector<double>& costs, const CostTable& table) {
  double sum = 0, greatest = 0, ideal = 0, worst = 0;
  for (std::size_t k = 0; k < costs.size(); ++k) {
    const double weight = table.columns[k].weight;
    sum += weight * costs[k];
    greatest = std::max(greatest, weight * costs[k]);
    ideal += std::pow(weight * costs[k], 2);
    worst += std::pow(weight * (1 - costs[k]), 2);
  }
  if (method == RankMethod::kChebyshev) return greatest;
  if (method == RankMethod::kTopsis)
    return ideal + worst > 0 ? std::sqrt(ideal) / (std::sqrt(ideal) + std::sqrt(worst)) : 0;
  return sum;
}

// All hosts, front by front as the definition of dominance has it, each front by score; ties are left to the hash.
RC_GTEST_PROP(Rank, OrdersEachFrontByScore, ()) {
  const auto method = *rc::gen::element(RankMethod::kChebyshev, RankMethod::kWeightedSum, RankMethod::kTopsis);
  const auto columns = *rc::gen::inRange<std::size_t>(1, 5);
  const auto count = *rc::gen::inRange<std::size_t>(1, 40);
  const auto numbers = rc::gen::map(rc::gen::inRange(0, 12), [](int n) { return double(n); });
  const CostTable costs =
      table_with(*rc::gen::container<Matrix>(columns, rc::gen::container<std::vector<double>>(count, numbers)),
                 *rc::gen::container<std::vector<double>>(columns, numbers));

  const Ranking ranking = rank_all(method, costs);

  RC_ASSERT(ranking.order.size() == count);
  std::vector<std::uint32_t> rest(count);
  std::iota(rest.begin(), rest.end(), 0u);
  for (std::size_t at = 0; at < count;) {
    const auto front = pareto_front(quantise(costs), rest);
    const Matrix matrix = scaled(costs, front);
    double previous = -INFINITY;
    for (std::size_t i = 0; i < front.size(); ++i, ++at) {
      const auto place = std::lower_bound(front.begin(), front.end(), ranking.order[at].index);
      RC_ASSERT(place != front.end() && *place == ranking.order[at].index);
      const auto& row = matrix[static_cast<std::size_t>(place - front.begin())];
      // topsis: columns that are the same on the whole front stay out of both distances.
      if (method != RankMethod::kTopsis) RC_ASSERT(ranking.order[at].score == score_by_definition(method, row, costs));
      RC_ASSERT(ranking.order[at].score >= previous);
      previous = ranking.order[at].score;
    }
    std::vector<std::uint32_t> next;
    std::set_difference(rest.begin(), rest.end(), front.begin(), front.end(), std::back_inserter(next));
    rest = next;
  }
}

// Asking for fewer gives the beginning of the whole.
RC_GTEST_PROP(Rank, GivesAPrefixWhenFewerAreWanted, ()) {
  const auto method = kFrontMethods[*rc::gen::inRange(0, 5)];
  const auto count = *rc::gen::inRange<std::size_t>(1, 120);
  const auto number = rc::gen::map(rc::gen::inRange(0, 9), [](int n) { return n == 8 ? std::nan("") : double(n); });
  const CostTable costs =
      table_with(*rc::gen::container<Matrix>(3, rc::gen::container<std::vector<double>>(count, number)));
  const auto wanted = *rc::gen::inRange<std::size_t>(0, count + 2);

  const auto all = indices(rank_all(method, costs));
  const auto some = indices(rank_all(method, costs, wanted));

  RC_ASSERT(all.size() == count);
  RC_ASSERT(some == std::vector<std::uint32_t>(all.begin(),
                                               all.begin() + static_cast<std::ptrdiff_t>(std::min(wanted, count))));
}

// Nothing that reaches an answer depends on row numbers: the same hosts in other rows rank the same by name.
RC_GTEST_PROP(Rank, DoesNotDependOnRows, ()) {
  const auto method = kFrontMethods[*rc::gen::inRange(0, 5)];
  const auto count = *rc::gen::inRange<std::size_t>(1, 30);
  const auto number = rc::gen::map(rc::gen::inRange(0, 9), [](int n) { return n == 8 ? std::nan("") : double(n); });
  const auto columns = *rc::gen::container<Matrix>(3, rc::gen::container<std::vector<double>>(count, number));
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[*rc::gen::inRange<std::size_t>(0, i)]);

  const auto ranked_names = [&](const std::vector<std::size_t>& rows) {
    std::vector<Change> changes;
    Matrix shuffled(3);
    for (const std::size_t i : rows) {
      changes.emplace_back(host("h" + std::to_string(i)));
      for (std::size_t k = 0; k < 3; ++k) shuffled[k].push_back(columns[k][i]);
    }
    Cluster cluster(changes);
    const CostTable costs = table_with(shuffled);
    const Query query = cluster.query(vm(1, 1));
    Names names;
    for (const Ranked& one : rank(rules_of(method), query, costs, pareto_front(costs), count).order) {
      names.push_back(cluster.name(costs.hosts[one.index]));
    }
    return names;
  };
  std::vector<std::size_t> straight(count);
  std::iota(straight.begin(), straight.end(), 0u);
  RC_ASSERT(ranked_names(straight) == ranked_names(order));
}

}  // namespace
}  // namespace emplace
