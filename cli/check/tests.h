// Tests: what the contract of plugin.h asks of a plugin, one property each. The runner gives each a process of its own;
// here they are plain functions. A test looks at its own property only, so that its name says what is wrong: answers
// are compared whether they are valid or not, and validity is a test of its own. `needs` names what must have passed
// for a test to mean anything.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "cli/check/findings.h"
#include "cli/check/subject.h"

namespace emplace::check {

struct Test {
  enum class Code { kNone, kLoaded, kCreated };
  std::string_view name;
  std::string_view promise;  // what holds when it passes
  std::vector<std::string_view> needs;
  Findings (*run)(const Setting& setting);
  Code code = Code::kCreated;  // of the plugin, that runs; confined as in a worker
  bool twice = false;          // in two processes, whose digests must agree
  bool two_threads = false;    // and then it gets a second one
};

std::span<const Test> all_tests();  // in the order in which they run

// files_tests.cc
Findings test_manifest(const Setting& setting);
Findings test_symbols(const Setting& setting);
// life_tests.cc
Findings test_load(const Setting& setting);
Findings test_lifecycle(const Setting& setting);
Findings test_configurations(const Setting& setting);
Findings test_threads(const Setting& setting);
// answer_tests.cc
Findings test_truth(const Setting& setting);
Findings test_results(const Setting& setting);
Findings test_explain(const Setting& setting);
Findings test_deadline(const Setting& setting);
// comparison_tests.cc
Findings test_repeat(const Setting& setting);
Findings test_order(const Setting& setting);
Findings test_subset(const Setting& setting);
Findings test_removal(const Setting& setting);
Findings test_state(const Setting& setting);
Findings test_observer(const Setting& setting);
// value_tests.cc
Findings test_sizes(const Setting& setting);
Findings test_invalid_values(const Setting& setting);
Findings test_extreme_values(const Setting& setting);
// speed_test.cc
Findings test_speed(const Setting& setting);

}  // namespace emplace::check
