// Backoff: how long to leave a failing service alone: twice as long after each failure, up to a most, and between half
// and the whole of that, so that many clients do not come back at the same moment. A value; `random` is from 0 to 1.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

namespace emplace::openstack {

struct Backoff {
  std::chrono::milliseconds least{1'000};
  std::chrono::milliseconds most{300'000};

  std::chrono::milliseconds after(int failures, double random) const {
    if (failures <= 0) return std::chrono::milliseconds(0);
    const double whole = std::min(std::ldexp(static_cast<double>(least.count()), std::min(failures - 1, 30)),
                                  static_cast<double>(most.count()));
    return std::chrono::milliseconds(static_cast<std::int64_t>(whole * (0.5 + 0.5 * random)));
  }
};

// From 0 to 1, of a generator that each thread has for itself.
inline double random_fraction() {
  thread_local std::minstd_rand random(std::random_device{}());
  return std::uniform_real_distribution<double>(0, 1)(random);
}

}  // namespace emplace::openstack
