// rank: orders the candidates, best first: the front by the profile's method, then the following fronts, peeled only as
// far as the caller asks for, then hosts with missing data. Costs are scaled by their range on the front being ordered.
// Ties are broken by hash(vm, host name): requests that arrive together spread, and a replay gives the same.
//
//   chebyshev     least weighted Chebyshev distance to the ideal point of the front; equal distances: least weighted
//                 sum.
//                 V. J. Bowman, "On the Relationship of the Tchebycheff Norm and the Efficient Frontier of
//                 Multiple-Criteria Objectives", LNEMS 130, 1976. Reaches the non-convex parts that a weighted sum
//                 can't.
//   knee          greatest distance below the hyperplane through the front's extreme points.
//                 I. Das, "On Characterizing the 'Knee' of the Pareto Curve Based on Normal-Boundary Intersection",
//                 Structural Optimization 18, 1999.
//   lexicographic objectives in the profile's order, box by box.
//   weighted_sum  least sum of weight × scaled cost.
//   topsis        greatest relative closeness to the ideal point. C.-L. Hwang, K. Yoon, "Multiple Attribute Decision
//                 Making", LNEMS 186, 1981.
//   nova          Nova's sum of normalised weights (rank_by_weight); no front.
//
// Hosts with missing data are ordered the same way among themselves, a missing cost counting as worse than any that is
// there.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "service/core/decide/pareto.h"

namespace emplace {

struct Ranked {
  std::uint32_t index;  // into CostTable::hosts
  bool front;           // on the first front
  double score;  // smaller is better: the distance, the sum, the distance below the plane negated, 1 - closeness,
                 // the scaled cost of the first objective (lexicographic), the negated total (nova)
};

struct WeighedColumn {
  std::string id;
  double multiplier = 1;    // of the profile; per host where multipliers is not empty
  std::vector<double> raw;  // one per host, or one that holds for all
  std::vector<double> multipliers;
  double minimum, maximum;  // no weight counts as less or more
  double low, range;        // 0 and 1 of the hosts at hand are low and low + range; range 0: all are 0

  double weight(std::size_t host) const { return raw[raw.size() == 1 ? 0 : host]; }
  // 0..1. The arithmetic of the totals, so that it need not be kept for each host.
  double normalised(std::size_t host) const;
};

struct Ranking {
  std::vector<Ranked> order;                // the first `wanted`, or all when there are fewer
  std::vector<WeighedColumn> weights = {};  // method nova: one per weigher
  std::vector<double> totals = {};          // method nova: per host
  std::vector<Degraded> degraded = {};
};

// Two hosts of one request are ordered by this when nothing else does. xxHash64 of the host's name, seeded by the vm.
std::uint64_t tie_hash(const Query& query, std::uint32_t host);

Ranking rank(const Rules& rules, const Query& query, const CostTable& costs, std::span<const std::uint32_t> front,
             std::size_t wanted);

// What orders hosts of equal weight: the order in which the caller named them, or, when nobody named any, tie_hash.
enum class Ties { kKeepOrder, kHash };

// Nova's arithmetic, to the bit: clamp, normalise between bounds, multiply, add in the order of the weighers. `hosts`
// in the caller's order; Ranked::index counts in it, and so do all columns of the result. One host is not weighed. A
// weigher that fails is left out and named.
Ranking rank_by_weight(const Rules& rules, const Query& query, std::span<const std::uint32_t> hosts, std::size_t wanted,
                       Ties ties = Ties::kKeepOrder);

}  // namespace emplace
