// Why a vm went where it went, as one sentence in plain English. docs/objectives.md says what the objectives mean.
#pragma once

#include <string>

#include "cli/json.h"

namespace emplace::cli {

// `choice`: what was decided for one vm: the answer to a placement, an entry of its `placements`, or a stored
// decision's document. It speaks of the hosts that are named in it, the first ones of the ranking.
std::string why(const Json& choice);

}  // namespace emplace::cli
