// What is known of how a plugin behaves: CallCounts of each rule, and the Breaker of the plugin. In-process code can't
// be stopped when it takes too long; it is measured, and after kMisses calls in a row over the deadline the plugin is
// set aside for a while (quarantined): its calls fail at once, and after that a single miss sets it aside again.
//
// Threads: any; counters are single atomics.
#pragma once

#include <atomic>
#include <cstdint>

namespace emplace {

class CallCounts {
 public:
  struct Totals {
    std::uint64_t calls = 0, errors = 0, misses = 0;
    std::int64_t total_us = 0, last_us = 0;
  };
  void add(std::int64_t took_us, bool failed, bool late);
  Totals totals() const;

 private:
  std::atomic<std::uint64_t> calls_{0}, errors_{0}, misses_{0};
  std::atomic<std::int64_t> total_us_{0}, last_us_{0};
};

class Breaker {
 public:
  static constexpr int kMisses = 3;
  static constexpr std::int64_t kQuarantineUs = 60'000'000;

  // Times are monotonic.
  bool quarantined(std::int64_t tick_us) const { return tick_us < until_us_.load(std::memory_order_relaxed); }
  void note(bool late, std::int64_t tick_us);

 private:
  std::atomic<int> misses_in_a_row_{0};
  std::atomic<std::int64_t> until_us_{0};
};

}  // namespace emplace
