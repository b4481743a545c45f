// HostOrder: hosts that a scheduler names, as the answer to "in which order would you take them?". Unlike a decision it
// is as good as it can be rather than strict, because the caller takes what it lacks for refused: what can't be judged
// (a host that the picture lacks, a filter or an objective that fails) keeps a host in, and is named.
//
//   ranked by the profile, at most kMostRanked │ the others that passed │ hosts that the picture lacks
//
// The last two, and hosts that cost the same, are in the caller's order: by its weights, greatest first, then as named.
// A host that has several nodes is there once, where its best node is.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "service/core/decide/decision.h"

namespace emplace::http {

// Schedulers take the first few; ranking thousands would cost more than deciding.
inline constexpr std::size_t kMostRanked = 128;

struct NamedHost {
  std::string host;
  std::string node;  // may be empty
};

struct HostQuestion {
  PlacementRequest request;
  std::vector<NamedHost> hosts;
  std::map<std::string, double, std::less<>> weights;  // by host; one that is not there comes after those that are
};

struct HostOrder {
  std::vector<std::string> hosts;  // as the caller calls them, each once, the best first
  std::string first = {};          // what the picture calls the first one; empty: it lacks it, or there is none
  std::string takes = {};          // of the first one, by the vm (take() in rules.h)
  std::size_t unknown = 0;         // of the caller's, not in the picture
  std::vector<Degraded> degraded = {};
};

Result<HostOrder> order_hosts(const Rules& rules, const HostQuestion& question, const Picture& picture,
                              std::int64_t now_us);

}  // namespace emplace::http
