// evaluate: the second stage. One column of marginal costs per objective over the hosts that passed. An objective that
// fails or has no data for the request is left out and named; a host without data where others have it is marked
// incomplete and ranks after all complete ones (anything else makes dominance intransitive). A cost that is not finite,
// or beyond 1e300, is a failure. on_error = fail: when that objective fails, no host is left, `refused` is set and the
// last of `degraded` says why; drop and last_good leave it out (last_good.h has the memory: here nothing is
// remembered).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "service/core/decide/screen.h"

namespace emplace {

struct CostColumn {
  std::string id;
  std::string unit;
  double resolution = 1;  // ε of the boxes; > 0
  double weight = 1;
  std::vector<double> values;  // one per host; undefined where quality is kNoData
  std::vector<Quality> quality;
};

bool any_missing(const CostColumn& column);

struct CostTable {
  std::vector<std::uint32_t> hosts;       // rows, rising
  std::vector<CostColumn> columns;        // only objectives that took part
  std::vector<std::uint8_t> complete;     // per host: 1 when every column has data
  std::vector<std::string> without_data;  // objectives left out: no data for this request
  std::vector<Degraded> degraded;         // objectives left out: failed; or stale values used
  bool refused = false;                   // the profile would rather have no answer than one without that objective
};

// Why costs for so many hosts can't be used; empty: they can.
std::string fault_of(const Costs& costs, std::size_t hosts);

CostTable evaluate(const Rules& rules, const Query& query, const Candidates& kept);

}  // namespace emplace
