#include "service/plugins/timing.h"

#include <algorithm>

namespace emplace {

void CallCounts::add(std::int64_t took_us, bool failed, bool late) {
  calls_.fetch_add(1, std::memory_order_relaxed);
  if (failed) errors_.fetch_add(1, std::memory_order_relaxed);
  if (late) misses_.fetch_add(1, std::memory_order_relaxed);
  total_us_.fetch_add(took_us, std::memory_order_relaxed);
  last_us_.store(took_us, std::memory_order_relaxed);
}

CallCounts::Totals CallCounts::totals() const {
  return {calls_.load(std::memory_order_relaxed), errors_.load(std::memory_order_relaxed),
          misses_.load(std::memory_order_relaxed), total_us_.load(std::memory_order_relaxed),
          last_us_.load(std::memory_order_relaxed)};
}

void Breaker::note(bool late, std::int64_t tick_us) {
  if (!late) {
    misses_in_a_row_.store(0, std::memory_order_relaxed);
    return next_us_.store(kQuarantineUs, std::memory_order_relaxed);
  }
  if (misses_in_a_row_.fetch_add(1, std::memory_order_relaxed) + 1 < kMisses) return;
  // Stays one short of the limit, so that the first call after the quarantine decides.
  misses_in_a_row_.store(kMisses - 1, std::memory_order_relaxed);
  const std::int64_t length_us = next_us_.load(std::memory_order_relaxed);
  next_us_.store(std::min(2 * length_us, kLongestQuarantineUs), std::memory_order_relaxed);
  until_us_.store(tick_us + length_us, std::memory_order_relaxed);
}

}  // namespace emplace
