#include "service/core/decide/pareto.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <numeric>

namespace emplace {
namespace {

using Indices = std::vector<std::uint32_t>;
using Point = std::vector<double>;

Boxes boxes_of(const std::vector<Point>& points, std::size_t columns) {
  Boxes boxes{points.size(), std::vector<std::vector<double>>(columns)};
  for (const Point& point : points) {
    for (std::size_t k = 0; k < columns; ++k) boxes.columns[k].push_back(point[k]);
  }
  return boxes;
}

bool dominates(const Point& a, const Point& b) {
  bool less = false;
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k] > b[k]) return false;
    less |= a[k] < b[k];
  }
  return less;
}

// The front by its definition: each against each.
Indices front_by_definition(const std::vector<Point>& points, const Indices& among) {
  Indices front;
  for (const std::uint32_t i : among) {
    if (std::none_of(among.begin(), among.end(), [&](auto j) { return dominates(points[j], points[i]); }))
      front.push_back(i);
  }
  return front;
}

Indices all_of(std::size_t count) {
  Indices all(count);
  std::iota(all.begin(), all.end(), 0u);
  return all;
}

// Every list of `count` points on the grid 0..side-1 in each column.
void expect_all_grids_right(std::size_t count, std::size_t columns, std::size_t side) {
  std::vector<std::size_t> digits(count * columns, 0);
  for (;;) {
    std::vector<Point> points(count, Point(columns));
    for (std::size_t i = 0; i < digits.size(); ++i) points[i / columns][i % columns] = static_cast<double>(digits[i]);
    ASSERT_EQ(pareto_front(boxes_of(points, columns), all_of(count)), front_by_definition(points, all_of(count)));
    std::size_t at = 0;
    while (at < digits.size() && ++digits[at] == side) digits[at++] = 0;
    if (at == digits.size()) return;
  }
}

TEST(ParetoFront, IsRightOnEverySmallGrid) {
  for (std::size_t count = 1; count <= 5; ++count) expect_all_grids_right(count, 1, 4);
  for (std::size_t count = 1; count <= 4; ++count) expect_all_grids_right(count, 2, 3);
  for (std::size_t count = 1; count <= 3; ++count) expect_all_grids_right(count, 3, 3);
  for (std::size_t count = 1; count <= 4; ++count) expect_all_grids_right(count, 4, 2);
}

TEST(ParetoFront, TakesAllWithoutColumns) { EXPECT_EQ(pareto_front(Boxes{3, {}}, Indices{0, 2}), (Indices{0, 2})); }

TEST(ParetoFront, OfNobodyIsEmpty) {
  EXPECT_TRUE(pareto_front(Boxes{}, {}).empty());
  EXPECT_TRUE(pareto_front(boxes_of({{1, 2, 3}}, 3), {}).empty());
}

TEST(ParetoFront, KeepsEqualBoxes) {
  const std::vector<Point> points{{1, 2, 3}, {1, 2, 3}, {2, 2, 3}, {1, 2, 3}};
  EXPECT_EQ(pareto_front(boxes_of(points, 3), all_of(4)), (Indices{0, 1, 3}));
}

// Sums of such numbers round to the same, but their order must not be lost.
TEST(ParetoFront, TellsPointsApartWhoseSumsRoundEqual) {
  const std::vector<Point> points{{1e18, 1, 5}, {1e18, 0, 5}, {0, 7, 1e18}};
  EXPECT_EQ(pareto_front(boxes_of(points, 3), all_of(3)), (Indices{1, 2}));
}

// Enough points for the prefilter and several blocks; few boxes, so that many are equal.
RC_GTEST_PROP(ParetoFront, EqualsItsDefinition, ()) {
  const auto columns = *rc::gen::inRange<std::size_t>(1, 8);
  const auto count = *rc::gen::element<std::size_t>(1, 17, 63, 64, 65, 200, 1100);
  const auto side = *rc::gen::element(2, 5, 1000000);
  const auto points = *rc::gen::container<std::vector<Point>>(
      count, rc::gen::map(rc::gen::container<std::vector<int>>(columns, rc::gen::inRange(-side, side)),
                          [](const std::vector<int>& p) { return Point(p.begin(), p.end()); }));
  Indices among;
  const bool all = *rc::gen::arbitrary<bool>();
  for (std::uint32_t i = 0; i < count; ++i) {
    if (all || *rc::gen::inRange(0, 4) > 0) among.push_back(i);
  }

  RC_ASSERT(pareto_front(boxes_of(points, columns), among) == front_by_definition(points, among));
}

CostColumn column(std::vector<double> values, double resolution, std::vector<Quality> quality = {}) {
  CostColumn column;
  column.resolution = resolution;
  column.quality = quality.empty() ? std::vector<Quality>(values.size(), Quality::kOk) : std::move(quality);
  column.values = std::move(values);
  return column;
}

CostTable table_of(std::vector<CostColumn> columns) {
  CostTable table;
  table.hosts = all_of(columns.front().values.size());
  table.complete.assign(table.hosts.size(), 1);
  for (const auto& one : columns) {
    for (std::size_t i = 0; i < one.quality.size(); ++i) table.complete[i] &= one.quality[i] != Quality::kNoData;
  }
  table.columns = std::move(columns);
  return table;
}

TEST(Quantise, PutsCostsIntoBoxesOfTheResolution) {
  const Boxes boxes = quantise(table_of({column({-0.1, 0, 4.9, 5, 1e300, -1e300}, 5)}));
  EXPECT_EQ(boxes.columns[0], (std::vector<double>{-1, 0, 0, 1, 2e299, -2e299}));
}

TEST(Quantise, PutsMissingCostsAboveAllOthers) {
  const Boxes boxes = quantise(table_of({column({1e300, std::nan("")}, 1e-3, {Quality::kOk, Quality::kNoData})}));
  EXPECT_EQ(boxes.columns[0], (std::vector<double>{kMissingBox / 2, kMissingBox}));
}

TEST(ParetoFront, HoldsNoIncompleteHostWhileThereIsACompleteOne) {
  const auto quality = std::vector{Quality::kNoData, Quality::kOk, Quality::kStale};
  EXPECT_EQ(pareto_front(table_of({column({0, 9, 8}, 1), column({0, 1, 2}, 1, quality)})), (Indices{1, 2}));
}

TEST(ParetoFront, TakesIncompleteHostsWhenAllAre) {
  const auto first = std::vector{Quality::kNoData, Quality::kOk, Quality::kOk};
  const auto second = std::vector{Quality::kOk, Quality::kNoData, Quality::kNoData};
  EXPECT_EQ(pareto_front(table_of({column({0, 1, 2}, 1, first), column({5, 0, 0}, 1, second)})), (Indices{0, 1}));
}

}  // namespace
}  // namespace emplace
