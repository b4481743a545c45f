#include "distance.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace emplace::affinity {
namespace {

constexpr double kBytesPerMb = 1e6;

struct Place {
  std::uint32_t host;
  std::optional<std::uint32_t> rack;
  std::optional<std::uint32_t> zone;
};

class Topology {
 public:
  explicit Topology(const plugin::View& view)
      : racks_(view.column<std::uint32_t>("hosts", "rack")), zones_(view.column<std::uint32_t>("hosts", "zone")) {}
  Place place(std::uint32_t host) const { return {host, racks_.get(host), zones_.get(host)}; }

 private:
  plugin::Column<std::uint32_t> racks_;
  plugin::Column<std::uint32_t> zones_;
};

bool same(const std::optional<std::uint32_t>& a, const std::optional<std::uint32_t>& b) { return a && a == b; }

double distance(const Distances& distances, const Place& a, const Place& b) {
  if (a.host == b.host) return distances.same_host;
  if (same(a.rack, b.rack)) return distances.same_rack;
  return same(a.zone, b.zone) ? distances.same_zone : distances.far;
}

struct PlacedPull {
  double mb_per_s;
  std::vector<Place> places;
};

double cost_on(const Distances& distances, const std::vector<PlacedPull>& pulls, const Place& host) {
  double cost = 0;
  for (const PlacedPull& pull : pulls) {
    double nearest = distance(distances, host, pull.places.front());
    for (const Place& place : pull.places) nearest = std::min(nearest, distance(distances, host, place));
    cost += pull.mb_per_s * nearest;
  }
  return cost;
}

std::uint64_t pair_key(const Place& place) {
  return (std::uint64_t{place.rack.value_or(UINT32_MAX)} << 32) | place.zone.value_or(UINT32_MAX);
}

}  // namespace

Distances Distances::from(const plugin::Configuration& configuration) {
  return {configuration.number("distance_same_host"), configuration.number("distance_same_rack"),
          configuration.number("distance_same_zone"), configuration.number("distance_far")};
}

void price(const Distances& distances, const std::vector<Pull>& pulls, const plugin::Call& call, plugin::Costs& costs) {
  if (pulls.empty()) return costs.set_all_no_data();
  const Topology topology(call.picture());
  std::vector<PlacedPull> placed;
  std::vector<std::uint32_t> held;  // hosts that are a place themselves
  for (const Pull& pull : pulls) {
    PlacedPull& added = placed.emplace_back(PlacedPull{pull.bytes_per_s / kBytesPerMb, {}});
    for (const std::uint32_t host : pull.places) added.places.push_back(topology.place(host)), held.push_back(host);
  }
  std::ranges::sort(held);
  std::unordered_map<std::uint64_t, double> known;
  const auto candidates = call.candidates();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Place host = topology.place(candidates[i]);
    if (std::ranges::binary_search(held, host.host)) {
      costs.set(i, cost_on(distances, placed, host));
      continue;
    }
    const auto [at, fresh] = known.try_emplace(pair_key(host), 0.0);
    if (fresh) at->second = cost_on(distances, placed, host);
    costs.set(i, at->second);
  }
}

}  // namespace emplace::affinity
