#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "cli/check/instance.h"
#include "cli/check/samples.h"
#include "cli/check/tests.h"

namespace emplace::check {
namespace {

constexpr int kCalls = 15;

std::int64_t median_us(Instance& instance, const Rule& rule, const Question& question) {
  using std::chrono::steady_clock;
  std::vector<std::int64_t> took;
  instance.ask(rule, question);  // observes the picture, and fills the caches
  for (int i = 0; i < kCalls; ++i) {
    const auto start = steady_clock::now();
    instance.ask(rule, question);
    took.push_back(std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - start).count());
  }
  std::ranges::nth_element(took, took.begin() + kCalls / 2);
  return took[kCalls / 2];
}

}  // namespace

// Times include what the service does around a call: tables of the request, copying results.
Findings test_speed(const Setting& setting) {
  Findings findings;
  Random random = random_for(setting.seed, "speed");
  for (const std::uint32_t hosts : {1000u, 20000u}) {
    const Sample sample = random_sample_of(random, hosts, 2 * hosts, 1);
    const Question question(sample.picture, sample.requests.front());
    const auto instance = Instance::make(setting);
    for (const Rule& rule : setting.subject->rules) {
      const std::int64_t us = median_us(*instance, rule, question);
      const std::string measured = fmt::format("{}: {} us with {} hosts", rule.id, us, hosts);
      us > setting.budget_us ? findings.fault(fmt::format("{}, wanted {}", measured, setting.budget_us))
                             : findings.note(measured);
    }
  }
  return findings;
}

}  // namespace emplace::check
