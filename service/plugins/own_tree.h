// A tree of files of this process's own, for kernels without Landlock: it holds what lies below the given paths, at
// those paths and read-only, and nothing else.
#pragma once

#include <filesystem>
#include <span>

#include "service/core/base/result.h"

namespace emplace {

// Needs CAP_SYS_ADMIN and CAP_SYS_CHROOT in this process's user namespace, which it must have to give up afterwards:
// with them it could get out again. Paths that are not there are left out. `copy_fd` is copied to /proc/self/fd/N,
// where N is its number, as there is no other /proc in the tree.
Result<void> enter_own_tree(std::span<const std::filesystem::path> paths, int copy_fd);

}  // namespace emplace
