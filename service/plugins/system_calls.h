// The system calls that a process with a plugin may make, as two filters of seccomp: a first one while the library is
// loaded, a second one, much narrower, before the plugin is created. They hold for all threads, and the second adds to
// the first. A call that is not allowed ends the process with kWorkerForbiddenCall; its name is left in the room that
// was given.
#pragma once

#include <span>

#include "service/core/base/result.h"

namespace emplace {

// Needs no_new_privs.
Result<void> allow_loading(std::span<char> room);
Result<void> allow_computing();

}  // namespace emplace
