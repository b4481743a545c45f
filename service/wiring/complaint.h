// How emplaced ends: exit codes, and the one line on standard error that says why.
#pragma once

#include "service/core/base/result.h"

namespace emplace {

inline constexpr int kDone = 0;
inline constexpr int kCannotRun = 1;
inline constexpr int kBadUsage = 2;

// Prints the error; the exit code that goes with it.
int complain(const Error& error);

// The exit code, once what was printed has arrived.
int end_of_output(int code);

}  // namespace emplace
