// Runner: runs each test in a process of its own, so that a plugin that crashes, hangs or exits fails that test and
// nothing else. The process is this program again, told to run one test; the two share a Watch.
#pragma once

#include <functional>
#include <string>

#include "cli/check/report.h"
#include "cli/check/tests.h"

namespace emplace::check {

inline constexpr int kWatchFd = 3;  // of the test's process

// `only`: a test's name, and then what it needs is not asked for; empty: all. `ended` is called after each.
Report run_all(const Setting& setting, const std::string& only, const std::function<void(const TestReport&)>& ended);

// In the test's process: runs it, and reports over the watch. kInvalid when there is no such test or watch.
Result<void> run_here(Setting setting, const std::string& name);

}  // namespace emplace::check
