// score_front: how a ranking method values each host of one front (rank.h names the methods and their papers). Costs
// are scaled to 0..1 by their range on the front; a missing cost counts as 1, and one that is the same on the whole
// front as 0. Cost: O(hosts × columns), and O(columns³) for the plane of the knee. Total.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "service/core/decide/evaluate.h"

namespace emplace {

struct FrontScores {
  std::vector<double> score;  // smaller is better
  std::vector<double> sum;    // weighted sum of the scaled costs: orders equal scores
};

// `front`: indices into costs.hosts.
FrontScores score_front(RankMethod method, const CostTable& costs, std::span<const std::uint32_t> front);

}  // namespace emplace
