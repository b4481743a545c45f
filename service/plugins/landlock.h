// Landlock: this process, and all that it starts, may from now on read what lies below the given paths, and do nothing
// else with files; nor use TCP, nor signal or reach processes outside by abstract sockets, where the kernel knows of
// it. Descriptors that are open stay usable. Raw system calls, as the C library has no names for them.
#pragma once

#include <filesystem>
#include <span>

#include "service/core/base/result.h"

namespace emplace {

bool has_landlock();
// Needs no_new_privs. Paths that are not there, and links, are left out. For this thread alone.
Result<void> read_only_below(std::span<const std::filesystem::path> paths);

}  // namespace emplace
