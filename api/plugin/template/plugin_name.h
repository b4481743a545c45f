// The arithmetic of plugin_name: functions of numbers, so that a test needs no cluster. A number that was never
// measured is an empty optional: it is not zero.
#pragma once

#include <cmath>
#include <optional>

// Memory that is left on a host once the vm is on it.
inline double free_after(double free_mib, double wanted_mib) { return free_mib - wanted_mib; }

// Percent of a host's memory in use once the vm is on it; nothing for a host without memory, and where the numbers are
// too large to say.
inline std::optional<double> fill_percent(double used_mib, double wanted_mib, double capacity_mib) {
  const double percent = (used_mib + wanted_mib) / capacity_mib * 100;
  return capacity_mib > 0 && std::isfinite(percent) ? std::optional(percent) : std::nullopt;
}
