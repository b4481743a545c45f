// Moving one vm on request: choose where (or take the host that is named), claim it there, hand it to the hypervisors,
// and confirm or give back when they are done. start_move() returns once the claim is committed and the move has begun;
// the rest follows on the event stream.
#pragma once

#include <memory>
#include <string>

#include "service/core/change.h"
#include "service/http/api_route.h"

namespace emplace::http {

struct MoveWish {
  std::string host = {};  // empty: the best of the profile's ranking
  std::string profile = "default";
  Parameters options = {};
};

// The body of POST /v1/vms/{id}:migrate; empty means all defaults.
Result<MoveWish> parse_move(std::string_view json);

// The claim on the destination. kConflict when the vm is not on a host that a hypervisor drives or nothing fits.
Result<Claim> start_move(const ApiRoom& room, std::shared_ptr<const Picture> picture, const VmRow& vm,
                         const MoveWish& wish);

// Waits for a destroy; kTimeout when the host does not answer before the deadline.
Result<void> destroy_and_wait(Hypervisors& hypervisors, const std::string& host, const Uuid& vm, Deadline deadline);

}  // namespace emplace::http
