#include "service/core/decide/cells.h"

#include "tests/unit/cluster.h"

#include <rapidcheck/gtest.h>

namespace emplace {
namespace {

using Chosen = std::vector<std::uint32_t>;

// Does some choice of `nodes` cells exist at all? By trying every subset.
bool fits_somehow(const std::vector<CellFree>& cells, double vcpus, double memory_mib, std::uint32_t nodes) {
  for (std::uint32_t subset = 0; subset < 1u << cells.size(); ++subset) {
    bool fits = std::popcount(subset) == static_cast<int>(nodes);
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if ((subset >> i & 1u) == 0) continue;
      fits &= cells[i].vcpus * nodes >= vcpus && cells[i].memory_mib * nodes >= memory_mib;
    }
    if (fits) return true;
  }
  return false;
}

TEST(ChooseCells, TakesTheFullestThatFits) {
  EXPECT_EQ(choose_cells(std::vector<CellFree>{{16, 64}, {4, 64}, {8, 64}}, 8, 16, 1), Chosen{2});
}

TEST(ChooseCells, SplitsTheVmEvenly) {
  EXPECT_EQ(choose_cells(std::vector<CellFree>{{4, 64}, {3, 64}, {4, 8}}, 8, 16, 2), (Chosen{0, 2}));
}

TEST(ChooseCells, BreaksEqualVcpusByMemoryThenByIndex) {
  EXPECT_EQ(choose_cells(std::vector<CellFree>{{8, 64}, {8, 32}}, 2, 2, 1), Chosen{1});
  EXPECT_EQ(choose_cells(std::vector<CellFree>{{8, 32}, {8, 32}}, 2, 2, 1), Chosen{0});
}

TEST(ChooseCells, WantsNoCellsForNoNodes) { EXPECT_EQ(choose_cells({}, 8, 16, 0), Chosen{}); }

TEST(ChooseCells, RefusesAHostWithoutCells) { EXPECT_EQ(choose_cells({}, 8, 16, 1), std::nullopt); }

RC_GTEST_PROP(ChooseCells, FindsAChoiceExactlyWhenThereIsOne, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(0, 7);
  std::vector<CellFree> cells(count);
  for (auto& cell : cells) cell = {1.0 * *rc::gen::inRange(-2, 10), 1.0 * *rc::gen::inRange(-2, 10)};
  const double vcpus = *rc::gen::inRange(0, 16), memory_mib = *rc::gen::inRange(0, 16);
  const auto nodes = *rc::gen::inRange(1u, 5u);

  const auto chosen = choose_cells(cells, vcpus, memory_mib, nodes);

  RC_ASSERT(chosen.has_value() == fits_somehow(cells, vcpus, memory_mib, nodes));
  if (!chosen) return;
  RC_ASSERT(chosen->size() == nodes);
  RC_ASSERT(std::adjacent_find(chosen->begin(), chosen->end(), std::greater_equal<>()) == chosen->end());
  for (const std::uint32_t cell : *chosen) {
    RC_ASSERT(cells[cell].vcpus * nodes >= vcpus && cells[cell].memory_mib * nodes >= memory_mib);
  }
}

TEST(CellsFor, CountsWhatVmsAlreadyUse) {
  VmRow taken = member(1, "a", "");
  taken.vcpus = 6;
  taken.memory_mib = 100;
  taken.numa_nodes = 1;
  taken.cells = {0};
  Cluster cluster({host_with_cells("a", {{8, 1000}, {8, 1000}}), taken});

  VmRequest request = vm(4, 100);
  request.numa_nodes = 1;

  EXPECT_EQ(cells_for(cluster.picture(), cluster.row("a"), request), Chosen{1});
}

}  // namespace
}  // namespace emplace
