// The order of Python's sets, with what CPython 3.11 and oslo.versionedobjects answer. tests/nova/numa_fit.py compares
// more.
#include <gtest/gtest.h>

#include "plugins/nova/python_set.h"

namespace emplace::nova {
namespace {

using Cpus = std::vector<Cpu>;

CpuSet set_with(const Cpus& cpus) {
  CpuSet set;
  for (const Cpu cpu : cpus) set.insert(cpu);
  return set;
}

TEST(PythonSet, IsIteratedInTheOrderOfItsTable) {
  EXPECT_EQ(set_of_added(Cpus{3, 2, 1}), (Cpus{1, 2, 3}));
  EXPECT_EQ(set_of_added(Cpus{5, 13}), (Cpus{13, 5}));
  EXPECT_EQ(set_of_added(Cpus{13, 5, 13}), (Cpus{5, 13}));
  EXPECT_EQ(set_of_added(Cpus{3, 35, 67, 99, 131}), (Cpus{99, 35, 67, 3, 131}));
  EXPECT_EQ(set_of_added(Cpus{0, 8, 16, 24, 32, 40, 48, 56}), (Cpus{0, 32, 8, 40, 16, 48, 24, 56}));
  EXPECT_EQ(set_of_added(Cpus{48, 0, 16, 32, 64, 80}), (Cpus{0, 32, 64, 48, 16, 80}));
}

TEST(PythonSet, ChangesItsOrderWhenItIsAssigned) {
  EXPECT_EQ(set_of_assigned(Cpus{13, 5}), (Cpus{5, 13}));
  EXPECT_EQ(set_of_assigned(Cpus{99, 35, 67, 3, 131}), (Cpus{3, 35, 67, 99, 131}));
  EXPECT_EQ(set_of_assigned(Cpus{0, 32, 64, 48, 16, 80}), (Cpus{0, 32, 64, 48, 16, 80}));
  EXPECT_EQ(set_of_assigned(Cpus{}), Cpus{});
}

TEST(PythonSet, HasDifferencesAndIntersectionsInAnOrderOfTheirOwn) {
  const Cpus set = {0, 32, 64, 7, 9, 48, 16, 80};
  EXPECT_EQ(set_difference(set, set_with({0})), (Cpus{32, 64, 7, 9, 48, 16, 80}));
  EXPECT_EQ(set_difference(set, set_with({0, 7, 9})), (Cpus{32, 64, 16, 48, 80}));
  EXPECT_EQ(set_intersection(Cpus{16, 0}, Cpus{48, 0, 16}), (Cpus{16, 0}));
  EXPECT_EQ(set_intersection(Cpus{0, 16, 3}, Cpus{0, 48, 16}), (Cpus{0, 16}));
}

}  // namespace
}  // namespace emplace::nova
