// What a process that runs a stranger's plugin gives up, in three stages, each before the code that it is about:
//
//   confine_early    when everything that is shared is mapped: its user (or its user namespace), every file but the
//                    system's libraries and the plugin's own, all capabilities, being looked into by others, life
//                    without its parent
//   confine_loading  before the library is loaded, whose constructors run then: processes, threads, sockets, signals,
//                    opening for writing, writing but to standard error
//   confine          before the plugin is created, for good: its last descriptors, and every system call but those of
//                    memory, futex, clock and exit
//
// A system call that is not allowed ends the process, and its name is left in the room that confine_loading() gets.
// What this kernel or the right of this user does not give is left out, and is not in the bits that are returned: see
// docs/configuration.md for what is then done.
//
// Under a sanitizer only new privileges and life without its parent are given up: its run-time reserves terabytes,
// reads files and makes system calls of its own.
//
// Threads: one, before there are others; the filters of the last two stages hold for all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "service/core/base/result.h"
#include "service/plugins/questions.h"

namespace emplace {

// Of a worker's own memory; what it shares with the service is not counted.
inline constexpr std::uint64_t kWorkerMemoryBytes = std::uint64_t{1} << 30;

struct Rights {
  std::filesystem::path library;      // may be read, and what lies beside it and is a shared object
  int library_fd = -1;                // the same bytes, which may be read as /proc/self/fd/N
  std::uint32_t user = 0, group = 0;  // to become, where this is root; 0: numbers that nobody else has
  std::uint32_t without = 0;          // bits of Confinement: as on a kernel that does not give them
};

// Bits of Confinement (questions.h) that are in force from then on. kUnavailable: the process must not go on.
Result<std::uint32_t> die_with(int parent);
Result<std::uint32_t> confine_early(const Rights& rights, int parent);
// `room`: where the name of a system call goes that was not allowed; it is used for as long as the process lives.
Result<std::uint32_t> confine_loading(std::span<char> room);
Result<void> confine();

// After everything that is shared was mapped, and before confine_early().
Result<std::uint32_t> limit_memory();

}  // namespace emplace
