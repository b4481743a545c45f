#include "numa/numa_refusal.h"

#include <algorithm>

namespace emplace::nova {
namespace {

using plugin::Refusal;

// A guest cell on the host cell that it gets furthest with.
struct Closest {
  GuestCell guest;
  bool reserve = false;
  NumaObstacle obstacle = NumaObstacle::kNone;
  double wanted = 0, found = 0;
};

std::string pages_text(std::int64_t page_kib) {
  if (page_kib == kPagesSmall) return "small pages";
  if (page_kib == kPagesLarge) return "large pages";
  return page_kib == kPagesAny ? "pages of one size" : "pages of " + std::to_string(page_kib) + " KiB";
}

double most_free_mib(const NumaCell& host, std::int64_t page_kib) {
  std::int64_t most_kib = 0;
  for (const NumaPages& pages : host.pages) {
    if (page_kib < 0 || pages.size_kib == page_kib) most_kib = std::max(most_kib, pages.free_kib());
  }
  return static_cast<double>(most_kib) / 1024;
}

// Wanted and found of the obstacle, on this host cell.
std::pair<double, double> amounts(const NumaCell& host, const Closest& closest, const NumaLimits& limits) {
  const GuestCell& guest = closest.guest;
  const double dedicated = guest.dedicated_count + (closest.reserve ? 1 : 0);
  const auto memory_mib = static_cast<double>(guest.memory_mib);
  const auto number = [](auto value) { return static_cast<double>(value); };
  switch (closest.obstacle) {
    case NumaObstacle::kPages:
      return {memory_mib, most_free_mib(host, guest.page_kib)};
    case NumaObstacle::kMemory:
      return {memory_mib, host.pages.empty() ? number(host.memory_mib) : number(host.pages.back().total_kib() / 1024)};
    case NumaObstacle::kDedicated:
      return {dedicated, number(host.dedicated_count)};
    case NumaObstacle::kShared:
      return {number(guest.shared_count), number(host.shared_count)};
    case NumaObstacle::kFreeCpus:
      return {dedicated, number(host.free_count)};
    case NumaObstacle::kFreeMemory:
      return {memory_mib, number(host.memory_free_mib())};
    case NumaObstacle::kSharedLimit:
      return {number(guest.shared_count), host.shared_count * limits.cpu_ratio - number(host.cpu_usage)};
    case NumaObstacle::kMemoryLimit:
      return {memory_mib, number(host.memory_mib) * limits.ram_ratio - number(host.memory_used_mib)};
    default:
      return {dedicated, number(host.free_in_cores)};
  }
}

Closest closest_fit(const NumaTopology& host, const GuestCell& guest, bool reserve, const NumaLimits& limits) {
  Closest best{guest, reserve, NumaObstacle::kNone, 0, 0};
  for (const NumaCell& cell : host.cells) {
    GuestCell trial = guest;
    Closest now{guest, reserve, fit_cell(cell, trial, limits, reserve), 0, 0};
    if (now.obstacle == NumaObstacle::kNone) return now;
    std::tie(now.wanted, now.found) = amounts(cell, now, limits);
    if (std::pair(now.obstacle, now.found) > std::pair(best.obstacle, best.found) ||
        best.obstacle == NumaObstacle::kNone) {
      best = now;
    }
  }
  return best;
}

std::string threads_text(ThreadPolicy policy) {
  if (policy == ThreadPolicy::kIsolate) return " on cores of their own";
  return policy == ThreadPolicy::kRequire ? " on sibling threads" : " on cores";
}

Refusal refusal_of(const Closest& closest) {
  switch (closest.obstacle) {
    case NumaObstacle::kPages:
      return {"nova.numa.pagesize",
              std::to_string(closest.guest.memory_mib) + " MiB in " + pages_text(closest.guest.page_kib), closest.found,
              "MiB"};
    case NumaObstacle::kMemory:
    case NumaObstacle::kFreeMemory:
      return {"nova.numa.memory", closest.wanted, closest.found, "MiB"};
    case NumaObstacle::kMemoryLimit:
      return {"nova.numa.memory_limit", closest.wanted, closest.found, "MiB"};
    case NumaObstacle::kSharedLimit:
      return {"nova.numa.cpu_limit", closest.wanted, closest.found, "cpus"};
    case NumaObstacle::kCores:
      return {"nova.numa.cores",
              std::to_string(static_cast<int>(closest.wanted)) + " cpus" + threads_text(closest.guest.threads),
              closest.found, "cpus"};
    default:
      return {"nova.numa.cpus", closest.wanted, closest.found, "cpus"};
  }
}

std::string sizes(const NumaRequest& request) {
  std::string text;
  for (const GuestCell& cell : request.cells) {
    text += (text.empty() ? "" : " + ") + std::to_string(cell.shared_count + cell.dedicated_count) + " cpus " +
            std::to_string(cell.memory_mib) + " MiB";
  }
  return text;
}

}  // namespace

Refusal numa_refusal(const NumaRequest& request, const NumaTopology& host, const NumaLimits& limits,
                     NumaObstacle obstacle) {
  switch (obstacle) {
    case NumaObstacle::kFewCells:
      return {"nova.numa.cells", static_cast<double>(request.cells.size()), static_cast<double>(host.cells.size()),
              "cells"};
    case NumaObstacle::kDevices:
      return {"nova.numa.pci", "PCI devices near the cells", "too few there"};
    case NumaObstacle::kNetworks:
      return {"nova.numa.network", "networks near the cells", "affinity to other cells"};
    case NumaObstacle::kTooManyOrders:
      return {"nova.numa.orders", "an order of cells that fits", "more orders than can be tried"};
    default:
      break;
  }
  for (std::size_t i = 0; i < request.cells.size(); ++i) {
    const Closest closest = closest_fit(host, request.cells[i], request.isolates_emulator && i == 0, limits);
    if (closest.obstacle != NumaObstacle::kNone) return refusal_of(closest);
  }
  return {"nova.numa.cells", sizes(request), "room for each, but not for all at once"};
}

}  // namespace emplace::nova
