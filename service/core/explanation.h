// Explanation: a placement as the JSON of the REST contract, at three levels. none: ranking and claim; summary: with counts
// of refusals by filter; full: with the first refusal of every host. The same writer makes the answer, the stored decision
// and the replay's document, so that a replay can be compared byte for byte.
#pragma once

#include <string>

#include "service/core/scheduler.h"

namespace emplace {

// The answer to POST /v1/placements.
std::string answer_json(const Placement& placement);

// What a replay must reproduce: the answer at level full, without the parts that are not the decision's (decision_id,
// took_us, claim).
std::string decision_document(const Placement& placement);

// What a replay needs besides the picture, and back.
std::string replay_request(const Placement& placement);

// Differences between two decision documents as lines a person reads ("ranking[0].host: stored h7, now h9"); empty: none.
std::vector<std::string> differences(std::string_view stored, std::string_view replayed);

}  // namespace emplace
