// Placement: what became of a request: a decision for each of its vms, on one picture, and the claims where they were
// taken.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/core/base/uuid.h"
#include "service/core/change/change.h"
#include "service/core/change/claim.h"
#include "service/core/decide/decision.h"
#include "service/core/decide/rules.h"
#include "service/core/picture/picture.h"
#include "service/core/request/request.h"

namespace emplace {

// The decision for one vm of a request.
struct Instance {
  VmRequest vm;
  std::shared_ptr<const Decision> decision;
  std::shared_ptr<const Picture> picture;  // what it was decided on: a later instance sees the earlier ones placed
  std::optional<Claim> claim = {};
};

// What a replay fixes per instance, because it was not decided by the pure part of the line.
struct PinnedInstance {
  Uuid id;
  std::string host = {};  // where it went; empty: the first of its ranking
};

struct Placement {
  Uuid decision_id = {};  // zero: not recorded
  std::shared_ptr<const PlacementRequest> request;
  std::shared_ptr<const Rules> rules;
  PictureVersion version;
  std::int64_t now_us = 0;   // the clock that the decision saw
  std::int64_t took_us = 0;  // the line from picture to ranking
  std::vector<Instance> instances;
  std::vector<std::string> not_considered;
  std::int64_t event_seq = 0;  // of the claims, when taken
};

// An id that no real vm has, for an instance (from 1) of a request that gives it none.
Uuid id_of_instance(std::uint32_t number);

// What a picture shows of a vm once it has its room on that host, with the cells that it would get there, and what else
// it takes of it (take() in rules.h).
VmRow placed_row(const Picture& picture, const VmRequest& vm, const std::string& host, std::string takes);

// The host at place i, from 0, of the instance's ranking.
std::string host_at(const Instance& instance, std::size_t i);

// Where the vm is claimed, or would be: the first of its ranking. Empty: no host fits.
std::string chosen_host(const Instance& instance);

}  // namespace emplace
