// Deadline: until when a caller waits. Every call that waits takes one.
#pragma once

#include <chrono>

namespace emplace {

using Deadline = std::chrono::steady_clock::time_point;

}  // namespace emplace
