// Distances, pulls: how far hosts are from each other, and what draws a vm to some of them. A pull is an amount of
// traffic towards places (the host of a peer, the hosts with a copy of some data); its cost on a host is the amount
// times the distance to the nearest place. Costs of several pulls add up, in the order of the pulls.
//
// Two hosts of one rack and zone that hold none of the places cost the same, so each pair of rack and zone is computed
// once: work is hosts + pairs x pulls, not hosts x pulls, and a host's cost depends on no other candidate.
//
// Paper: Sonnek, Chandra, "Virtual Putty: Reshaping the Physical Footprint of Virtual Machines", HotCloud 2009
// (co-locate vms that talk, and vms with their data). Where we differ: hops between hosts instead of "same host or
// not".
#pragma once

#include <cstdint>
#include <vector>

#include "emplace/plugin.hpp"

namespace emplace::affinity {

struct Distances {
  double same_host = 0;
  double same_rack = 1;
  double same_zone = 2;
  double far = 3;

  static Distances from(const plugin::Configuration& configuration);
};

struct Pull {
  double bytes_per_s = 0;
  std::vector<std::uint32_t> places;  // rows of hosts, at least one
};

// In MB/s·hops (1 MB = 10^6 bytes). No pulls: no data.
void price(const Distances& distances, const std::vector<Pull>& pulls, const plugin::Call& call, plugin::Costs& costs);

}  // namespace emplace::affinity
