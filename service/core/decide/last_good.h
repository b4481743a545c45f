// with_last_good: an objective that remembers its good costs per question (the request's document, and which of its
// vms), and gives them again, marked stale, when it can't answer: for profiles with on_error = last_good. A host that
// was not there then has no data. Costs older than `max_age_s` by the clock of the decision, or newer than it (a
// replay), are not used: then the objective fails as it does without this. What was remembered goes with the Rules that
// it belongs to, so a changed profile, plugin or configuration starts without memory, and so does each replay.
//
// Memory: kQuestions questions, at most kMostValues costs in all; the question that came up longest ago goes first.
// Threads: like any objective. Cost: one copy of the costs per decision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "service/core/decide/rules.h"

namespace emplace {

inline constexpr std::size_t kLastGoodQuestions = 64;
inline constexpr std::size_t kLastGoodValues = 4'000'000;

std::shared_ptr<const Objective> with_last_good(std::shared_ptr<const Objective> objective, std::int64_t max_age_s);

}  // namespace emplace
