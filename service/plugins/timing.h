// What is known of how a plugin behaves: CallCounts of each rule, and the Breaker of the plugin. A miss is a call that
// took longer than the deadline, or that lost its worker. After kMisses in a row the plugin is set aside for a while
// (quarantined): its calls fail at once. The first call after that is a trial: a miss sets it aside again, for twice as
// long, up to a limit; a call in time ends the matter.
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
  static constexpr std::int64_t kQuarantineUs = 30'000'000;  // the first
  static constexpr std::int64_t kLongestQuarantineUs = 600'000'000;

  // Times are monotonic.
  bool quarantined(std::int64_t tick_us) const { return tick_us < until_us_.load(std::memory_order_relaxed); }
  void note(bool late, std::int64_t tick_us);

 private:
  std::atomic<int> misses_in_a_row_{0};
  std::atomic<std::int64_t> until_us_{0};
  std::atomic<std::int64_t> next_us_{kQuarantineUs};
};

}  // namespace emplace
