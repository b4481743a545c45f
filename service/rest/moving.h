// Moving one vm on request: choose where (or take the host that is named), claim it there, hand it to the hypervisors,
// and confirm or give back when they are done. start_move() returns once the claim is committed and the move has begun;
// the rest follows in its operation, whose id is the claim's. Removing one is the same with less.
#pragma once

#include <future>
#include <memory>
#include <string>

#include "service/core/change/change.h"
#include "service/rest/route.h"

namespace emplace::http {

struct MoveWish {
  std::string host = {};  // empty: the best of the profile's ranking
  std::string profile = "default";
  Parameters options = {};
};

// The body of POST /v1/vms/{id}:migrate; empty means all defaults.
Result<MoveWish> parse_move(std::string_view json);

// The claim on the destination. kConflict when the vm does not run on a host that a hypervisor drives, or nothing fits.
Result<Claim> start_move(const ApiRoom& room, std::shared_ptr<const Picture> picture, const VmRow& vm,
                         const MoveWish& wish);

// The removal of a vm from its host and from the store, which goes on when nobody waits for it any more.
struct Removal {
  Uuid operation;
  std::shared_future<Result<std::int64_t>> done;  // event_seq
};
// What is there of it is powered off and undefined before it is forgotten. kUnavailable: nothing was begun.
Result<Removal> start_removal(const ApiRoom& room, const VmRow& vm);

}  // namespace emplace::http
