// Decisions as commands name them: by their id or its beginning, or by the vm that they are about.
#pragma once

#include <string>
#include <vector>

#include "cli/session.h"

namespace emplace::cli {

struct FoundDecision {
  Json head;               // as a list shows it
  std::size_t others = 0;  // earlier ones about the same vm; 0 when the decision itself was named
};

// `named`: the id of a decision, or of a vm, or at least the first four letters of one, or a vm's name; of several
// about a vm the newest. Failure{kNotFound}; Failure{kBadInput} where it begins the ids of several.
FoundDecision find_decision(Client& client, const std::string& named);

}  // namespace emplace::cli
