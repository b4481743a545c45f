// Decision: everything that one run of the pure part of the line produced for one vm, kept as values so that it can be
// explained, stored, and compared with its own replay.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "service/core/decide/rank.h"

namespace emplace {

struct Decision {
  Screened screened;
  CostTable costs;
  std::vector<std::uint32_t> front;  // indices into costs.hosts
  Ranking ranking;
  // More than front_limit × candidates on the front, unless all of it lies in one box: then the objectives agree. A
  // single host is therefore never too wide, while two of three that differ are.
  bool front_too_wide = false;
};

// screen → evaluate → pareto_front → rank, or Nova's weighing for a profile of method nova. A pure function of its
// arguments: the same picture and request give the same bits.
Decision decide(const Rules& rules, const Query& query, std::size_t wanted);

// Filters that left hosts unjudged, by their ids.
std::set<std::string> unjudging(const Decision& decision);

// Parts of the request that no enabled rule and not the core itself read; and what those filters read that did not
// judge all hosts.
std::vector<std::string> not_considered(const Rules& rules, const PlacementRequest& request,
                                        const std::set<std::string>& unjudging = {});

}  // namespace emplace
