// Vms as commands name them: by uuid or by name.
#pragma once

#include "cli/session.h"

namespace emplace::cli {

bool is_uuid(const std::string& text);
// The vm of that uuid or name. Failure{kNotFound}; Failure{kBadInput} when the name is not unique.
Json find_vm(Client& client, const std::string& vm);

// Polls the vm until `done` says so or the time is over (Failure{kFailed} naming the vm's state).
Json wait_for_vm(Client& client, const std::string& id, double timeout_s, const std::function<bool(const Json&)>& done);

}  // namespace emplace::cli
