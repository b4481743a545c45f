// pareto_front: the candidates that no other candidate beats in every objective. Costs are first put into boxes
// floor(cost / ε); a box dominates another when it is nowhere greater and somewhere less. Candidates in equal boxes are
// all kept: which one is picked is the ranking's business.
//
// Boxes: M. Laumanns, L. Thiele, K. Deb, E. Zitzler, "Combining Convergence and Diversity in Evolutionary
// Multiobjective Optimization", Evolutionary Computation 10(3), 2002. Scan: S. Börzsönyi, D. Kossmann, K. Stocker, "The
// Skyline Operator", ICDE 2001, with the presorting of J. Chomicki, P. Godfrey, J. Gryz, D. Liang, "Skyline with
// Presorting", ICDE 2003: in the order of box sums nothing that comes later can dominate what came before, so one pass
// against a window of the front so far is enough; a few points with small sums throw out most of the rest first. One or
// two objectives need no window. We differ in keeping equal boxes and in working on columns. Cost: O(n log n + n·f)
// comparisons for a front of f, n candidates. Total: any finite costs, any number of columns >= 0.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "service/core/decide/evaluate.h"

namespace emplace {

// The box of a missing value: above all others, so that dominance stays transitive among hosts without data.
inline constexpr double kMissingBox = 1e300;

// Box numbers, column-major (columns × hosts), whole numbers held in doubles, at most half of kMissingBox either way.
struct Boxes {
  std::size_t hosts = 0;
  std::vector<std::vector<double>> columns;
};
Boxes quantise(const CostTable& costs);

// Indices into costs.hosts of the first front among `among` (rising), rising. With no columns: all.
std::vector<std::uint32_t> pareto_front(const Boxes& boxes, std::span<const std::uint32_t> among);
// The hosts that may be on the first front: the complete ones, or all when none is complete.
std::vector<std::uint32_t> first_rank_hosts(const CostTable& costs);
// Of those.
std::vector<std::uint32_t> pareto_front(const CostTable& costs);

}  // namespace emplace
