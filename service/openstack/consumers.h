// Who takes what of which host, by Nova's and Placement's word together: a server counts where Nova lists it, with the
// larger of its flavor's amounts and of what Placement has allocated to it there; an allocation that belongs to no
// server of its host (an orphan, the source of a resize that waits for its confirmation, the destination of a move)
// counts as well. Nobody counts twice: while a server moves, Nova's migration holds the allocation on its source, which
// is then the server's own.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "service/core/change/takes.h"
#include "service/openstack/cloud.h"

namespace emplace::openstack {

struct Consumption {
  Uuid id;      // of the row: the consumer's, or one made of it where a server has a row of its own elsewhere
  Uuid server;  // zero: of no server that Nova lists
  Uuid host;    // the hypervisor that it counts at
  ResourceAmounts amounts;  // every class that it takes
  bool is_familiar = true;  // not of Cloud::unfamiliar
};

// By server: what it counts for where it is. Servers on no host that Placement has given room are there already.
struct Consumptions {
  std::map<Uuid, Consumption> servers;
  std::vector<Consumption> others;  // by host and consumer
};

// Root providers, each with all below it as one: a device's provider stands below its host's.
std::map<Uuid, Provider> root_providers(const std::map<Uuid, Provider>& all);

// Providers with allocations that are not those of servers which are there: Placement does not tell when these go. None
// until servers and hypervisors are known.
std::set<Uuid> doubtful_providers(const Cloud& cloud);

// Consumers that are no servers.
std::set<Uuid> other_consumers(const Cloud& cloud);

// `providers`: of hosts; `places`: the hypervisor of each server that is on one.
Consumptions consumptions(const Cloud& cloud, const std::map<Uuid, Provider>& providers,
                          const std::map<Uuid, Uuid>& places);

}  // namespace emplace::openstack
