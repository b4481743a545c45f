// confine_early, confine: what a worker gives up, and when. Early, before any code of the plugin runs: new privileges,
// memory beyond a limit, core dumps, life without its parent, descriptors that are not its own. Late, when the plugin
// is loaded and created: its last descriptors, and every system call but the few that computing needs (memory, futex,
// clock, exit); any other ends the process at once.
//
// Under a sanitizer the limits on memory and seccomp are left out: its run-time reserves terabytes and makes system
// calls of its own. What is in force is what the functions return, and is shown with the plugin's state.
#pragma once

#include <cstdint>

#include "service/core/result.h"

namespace emplace {

// Of a worker's own memory; what it shares with the service is not counted.
inline constexpr std::uint64_t kWorkerMemoryBytes = std::uint64_t{1} << 30;

// Bits of Confinement (questions.h). kUnavailable: the process must not go on. `last_fd`: the greatest that stays.
Result<std::uint32_t> confine_early(int parent, int last_fd);
// After everything that is shared was mapped.
Result<std::uint32_t> limit_memory();
// Leaves no descriptor open (under a sanitizer: only the standard ones). `bits`: what is in force already.
Result<std::uint32_t> confine(std::uint32_t bits);

}  // namespace emplace
