// Vms as commands name them: by uuid or by name.
#pragma once

#include "cli/session.h"

namespace emplace::cli {

bool is_uuid(const std::string& text);
// The vm of that uuid or name. Failure{kNotFound}; Failure{kBadInput} when the name is not unique.
Json find_vm(Client& client, const std::string& vm);

// Polls a start, move or delete until it has ended, however it did, or the time is over (Failure{kFailed} that says
// what keeps it).
Json wait_for_operation(Client& client, const std::string& id, double timeout_s);

}  // namespace emplace::cli
