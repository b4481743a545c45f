#include "pci/pci_pools.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace emplace::nova {
namespace {

constexpr std::int64_t kGone = std::numeric_limits<std::int64_t>::min();

bool among(std::span<const std::int64_t> cells, const std::optional<std::int64_t>& node) {
  return node && std::ranges::find(cells, *node) != cells.end();
}

// Whether the node is on a socket that one of the cells is on. A host that does not know all its sockets has none.
bool shares_socket(std::span<const NumaCell> host, std::span<const std::int64_t> cells, std::int64_t node) {
  const auto on = [&](std::int64_t socket) {
    return std::ranges::any_of(host,
                               [&](const NumaCell& cell) { return cell.socket == socket && among(cells, cell.id); });
  };
  return std::ranges::all_of(host, [](const NumaCell& cell) { return cell.socket.has_value(); }) &&
         std::ranges::any_of(host, [&](const NumaCell& cell) { return cell.id == node && on(*cell.socket); });
}

}  // namespace

// A key that the pool does not have is None, as is a node that is not known; a number never equals a text.
bool PciPool::matches(const PciProperties& spec) const {
  return std::ranges::all_of(spec, [this](const auto& wanted) {
    const auto at = std::ranges::find(properties, wanted.first, &PciProperties::value_type::first);
    if (at != properties.end()) return at->second == wanted.second;
    return !wanted.second && wanted.first != "count" && !(wanted.first == "numa_node" && numa_node);
  });
}

std::int64_t PciPools::free() const {
  return std::accumulate(pools.begin(), pools.end(), std::int64_t{0},
                         [](std::int64_t sum, const PciPool& pool) { return sum + pool.count; });
}

std::int64_t PciPools::free_near(std::int64_t node) const {
  std::int64_t sum = 0;
  for (const PciPool& pool : pools) sum += pool.numa_node == node ? pool.count : 0;
  return sum;
}

std::int64_t PciTaking::chosen_devices() const {
  std::int64_t sum = 0;
  for (const std::uint32_t i : chosen_) sum += counts_[i];
  return sum;
}

// Drops pools from the choice; false when what remains is not enough.
template <typename Keep>
bool PciTaking::narrow(const PciRequest& request, Keep keep) {
  std::erase_if(chosen_, [&](std::uint32_t i) { return !keep(pools_->pools[i]); });
  found_ = chosen_devices();
  return found_ >= request.count;
}

// By strictness: pools in the cells; then what the policy allows beyond, when these do not have enough.
void PciTaking::choose_near(const PciRequest& request, const PciPlace& place) {
  if (place.cells.empty()) return;
  const auto all = [this] { chosen_ = near_; };
  const auto inside = [&](const PciPool& pool) { return among(place.cells, pool.numa_node); };
  const auto inside_or_unknown = [&](const PciPool& pool) { return !pool.numa_node || inside(pool); };
  near_ = chosen_;
  if (narrow(request, inside) || request.policy == PciNumaPolicy::kRequired) return;
  all();
  if (request.policy == PciNumaPolicy::kSocket) {
    narrow(request, [&](const PciPool& pool) {
      return pool.numa_node && shares_socket(place.host, place.cells, *pool.numa_node);
    });
    return;
  }
  if (narrow(request, inside_or_unknown) || request.policy == PciNumaPolicy::kLegacy) return;
  all();
  // In place: the positions rise, so that sorting by them too keeps the order.
  std::ranges::sort(chosen_, {}, [&](std::uint32_t i) { return std::pair(!inside_or_unknown(pools_->pools[i]), i); });
}

// Devices that only make sense when asked for are kept for those who ask.
bool PciTaking::choose(const PciRequest& request, const PciPlace& place) {
  chosen_.clear();
  for (std::uint32_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] != kGone) chosen_.push_back(i);
  }
  const bool enough = narrow(request, [&](const PciPool& pool) {
    return std::ranges::any_of(request.specs, [&](const PciProperties& spec) { return pool.matches(spec); });
  });
  if (!enough) return false;
  choose_near(request, place);
  return narrow(request, [](const PciPool&) { return true; }) &&
         narrow(request,
                [&](const PciPool& pool) { return request.wants_physical_function || !pool.is_physical_function; }) &&
         narrow(request, [&](const PciPool& pool) {
           return (request.wants_vdpa || !pool.is_vdpa) && (request.wants_remote_managed || !pool.is_remote_managed);
         });
}

bool PciTaking::take(const PciRequest& request, const PciPlace& place) {
  if (!choose(request, place) || chosen_.empty()) return false;
  std::int64_t wanted = request.count;
  for (const std::uint32_t i : chosen_) {
    if (counts_[i] > wanted) {
      counts_[i] -= wanted;
      return true;
    }
    wanted -= counts_[i];
    counts_[i] = kGone;
    if (wanted == 0) return true;
  }
  return true;
}

bool PciTaking::supports(const PciPools& pools, std::span<const PciRequest> requests, const PciPlace& place) {
  pools_ = &pools;
  counts_.clear();
  for (const PciPool& pool : pools.pools) counts_.push_back(pool.count);
  for (failed_ = 0; failed_ < requests.size(); ++failed_) {
    if (!take(requests[failed_], place)) return false;
  }
  return true;
}

PciPools PciTaking::left(const PciPools& pools) const {
  PciPools rest;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == kGone) continue;
    rest.pools.push_back(pools.pools[i]);
    rest.pools.back().count = counts_[i];
  }
  return rest;
}

std::optional<std::int64_t> PciTaking::taken(const PciPools& pools, std::size_t position) const {
  const std::int64_t before = pools.pools[position].count, after = counts_[position];
  if (after == kGone) return before;
  return after == before ? std::nullopt : std::optional(before - after);
}

std::optional<PciPools> consume(const PciPools& pools, std::span<const PciRequest> requests, const PciPlace& place) {
  PciTaking taking;
  return taking.supports(pools, requests, place) ? std::optional(taking.left(pools)) : std::nullopt;
}

}  // namespace emplace::nova
