// rank: orders the candidates, best first: the front by the profile's method, then the following fronts, peeled only as far
// as the caller asks for, then hosts with missing data. Costs are scaled by their range on the front being ordered. Ties are
// broken by hash(vm, host name): requests that arrive together spread, and a replay gives the same.
//
//   chebyshev     least weighted Chebyshev distance to the ideal point of the front; equal distances: least weighted sum.
//                 V. J. Bowman, "On the Relationship of the Tchebycheff Norm and the Efficient Frontier of Multiple-Criteria
//                 Objectives", LNEMS 130, 1976. Reaches the non-convex parts that a weighted sum can't.
//   knee          greatest distance below the hyperplane through the front's extreme points.
//                 I. Das, "On Characterizing the 'Knee' of the Pareto Curve Based on Normal-Boundary Intersection",
//                 Structural Optimization 18, 1999.
//   lexicographic objectives in the profile's order, box by box.
//   weighted_sum  least sum of weight × scaled cost.
//   topsis        greatest relative closeness to the ideal point. C.-L. Hwang, K. Yoon, "Multiple Attribute Decision
//                 Making", LNEMS 186, 1981.
//   nova          Nova's sum of normalised weights (rank_by_weight); no front; the order that came in is kept on ties.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "service/core/pareto.h"

namespace emplace {

struct Ranked {
  std::uint32_t index;  // into CostTable::hosts
  bool front;           // on the first front
  double score;         // the method's own number, smaller is better; for explanations
};

struct WeighedColumn {
  std::string id;
  double multiplier = 1;            // of the profile; per host where multipliers is not empty
  std::vector<double> raw;
  std::vector<double> normalised;   // 0..1 over the hosts at hand
  std::vector<double> multipliers;
};

struct Ranking {
  std::vector<Ranked> order;  // the first `wanted`, or all when there are fewer
  std::vector<WeighedColumn> weights = {};  // method nova: one per weigher
  std::vector<double> totals = {};          // method nova: per host
  std::vector<Degraded> degraded = {};
};

// Two hosts of one request are ordered by this when nothing else does. xxHash64 of the host's name, seeded by the vm.
std::uint64_t tie_hash(const Query& query, std::uint32_t host);

Ranking rank(const Rules& rules, const Query& query, const CostTable& costs, std::span<const std::uint32_t> front,
             std::size_t wanted);

// Nova's arithmetic, to the bit: clamp, normalise between bounds, multiply, add in the order of the weighers.
Ranking rank_by_weight(const Rules& rules, const Query& query, std::span<const std::uint32_t> hosts, std::size_t wanted);

}  // namespace emplace
