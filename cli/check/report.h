// Report: what became of each test, for a person (text), a program (JSON) and a build server (JUnit XML).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/check/findings.h"

namespace emplace::check {

enum class Outcome { kPassed, kFailed, kSkipped, kNotRun, kNotExercised };

struct TestReport {
  std::string name, promise;
  Outcome outcome = Outcome::kPassed;
  std::vector<std::string> faults;  // why it failed
  std::vector<std::string> notes;   // figures; why it was skipped or not run, what was not exercised
  double seconds = 0;
};

struct Report {
  std::string library;
  std::string configuration;  // as given
  std::uint64_t seed = 0;
  std::int64_t budget_us = 0;
  std::vector<TestReport> tests;

  std::size_t count(Outcome outcome) const;
};

std::string_view to_string(Outcome outcome);
std::string text_line(const TestReport& test);  // with its faults and notes, as it ends
std::string text_summary(const Report& report);
std::string to_json(const Report& report);
std::string to_junit(const Report& report);

}  // namespace emplace::check
