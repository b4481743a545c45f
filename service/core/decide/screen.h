// screen: the first stage of a decision. Starts from the hosts that live, drops those that the request excludes, and
// lets each filter refuse, cheap ones first. A filter that fails keeps no host (it fails closed) and is named in
// `degraded`; one that lacks data of a host keeps it, and is named in `unjudged`; once no host is left, the remaining
// filters are not asked. Cost: one pass over the columns each filter
// touches.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "service/core/decide/rules.h"

namespace emplace {

struct Degraded {
  std::string plugin;  // id of the rule or plugin
  std::string why;
};

// Hosts that a filter kept without judging them.
struct Unjudged {
  std::string filter;
  std::uint32_t hosts = 0, of = 0;
  Refusal first = {};  // of the first of them: wanted is what the request asks for, found what is not known
};

struct Screened {
  Candidates kept;
  std::uint32_t considered = 0;          // hosts that live and were not excluded by the request
  std::vector<std::uint8_t> refused_by;  // per host row: 1 + index of the first filter that refused it; 0: none
  std::vector<std::uint8_t> reasons;     // per host row: that filter's reason; 0: it failed
  std::vector<std::uint32_t> counts;     // per filter: hosts it refused first
  std::vector<Degraded> degraded;        // filters that failed; they refused all
  std::vector<Unjudged> unjudged;
};

Screened screen(const Rules& rules, const Query& query);

}  // namespace emplace
