// Destinations: Nova's select_destinations as a function of a picture: for each instance of a request the host that it
// goes to and alternates for when that build fails, as Nova's scheduler finds them (nova/scheduler/manager.py):
//
// * Instances are decided one after the other, each with those before it in place: their room is taken, their hosts and
//   ids are among those of the server group, and a host that was refused once is not asked again.
// * Alternates are decided with all instances in place. They are of the same cell as the host that they stand in for,
//   where cells are known, and none is a host that was selected for any of the instances. Several instances may get the
//   same alternates.
// * All or nothing: when one instance finds no host, there are no selections.
//
// A pure function; the room that it counts is taken by nobody (see Reservations).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "service/core/act/scheduler.h"
#include "service/core/json/json.h"

namespace emplace::http {

struct DestinationsWish {
  std::shared_ptr<const PlacementRequest> request;  // options.count instances, options.alternates for each
  std::vector<Uuid> ids = {};                       // as many as instances; zero where there is none
  std::vector<std::string> hosts = {};              // not empty: only these may be considered
};

struct Destinations {
  Placement placement;                                 // what was decided for each instance, without alternates
  std::vector<std::vector<std::uint32_t>> selections;  // per instance: rows of hosts, the first is where it goes
  std::vector<std::string> takes;                      // per instance: of where it goes (take() in rules.h)
  std::vector<Degraded> degraded;                      // of all decisions, each once
};

Result<Destinations> select_destinations(const Scheduler& scheduler, const DestinationsWish& wish,
                                         const std::shared_ptr<const Rules>& rules,
                                         std::shared_ptr<const Picture> picture, std::int64_t now_us);

// A RequestSpec primitive as Nova's scheduler changes it for one instance after others: its uuid, the others in its
// server group, and what fitting those left behind.
struct Selected {
  std::string nova_host;
  Uuid id;
};
struct LaterInstance {
  Uuid id;  // zero: null
  const std::vector<Selected>& others;
  const JsonDocument* changed = nullptr;  // an object whose members take the place of the spec's
};
std::string spec_of_instance(JsonValue spec, const LaterInstance& instance);

// A host as Nova's Selection, without what nobody told us. `numa_limits`: Nova's NUMATopologyFilter let it pass.
void write_selection(JsonWriter& writer, const Picture& picture, std::uint32_t host, bool numa_limits);

}  // namespace emplace::http
