// Scheduler: the straight line from a request to a running vm. place() is the whole of it, one stage a line, in
// scheduler.cc; everything pure is in decide().
//
//   query → screen → evaluate → pareto_front → rank → take_first → start
//
// A refused claim: the next host of the ranking, at most 8; then the whole line again on a fresh picture, at most three
// times; then kConflict "emplace.claim.conflict" with the reasons. No lock is held while deciding.
//
// Threads: place() without a claim only computes; with one it waits for the store, so it belongs on a line thread. All
// methods may be called concurrently. The claims must outlive the hypervisors, whose answers go there.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/change/change.h"
#include "service/core/change/claim.h"
#include "service/core/decide/decision.h"
#include "service/core/decide/placement.h"
#include "service/core/decide/rules.h"
#include "service/core/doors/claims.h"
#include "service/core/doors/decisions.h"
#include "service/core/doors/hypervisors.h"
#include "service/core/doors/pictures.h"
#include "service/core/doors/store.h"
#include "service/core/picture/picture.h"
#include "service/core/request/request.h"

namespace emplace {

// The shell's part of the world that the core may not touch itself.
struct Ambient {
  std::function<std::int64_t()> now_us;   // wall clock
  std::function<std::int64_t()> tick_us;  // monotonic
  std::function<Uuid()> new_uuid;
  std::function<void(const Claim&, const Result<void>&)> start_ended = [](const Claim&, const Result<void>&) {};
};

// The placement as it is stored; `document` is its decision_document().
DecisionRecord record_of(const Placement& placement, std::string document);

class Scheduler {
 public:
  Scheduler(const Pictures& pictures, Claims& claims, Hypervisors& hypervisors, Ambient ambient)
      : pictures_(pictures), claims_(claims), hypervisors_(hypervisors), ambient_(std::move(ambient)) {}

  // `key`: the caller's idempotency key; its answer is stored with the claim.
  Result<Placement> place(std::shared_ptr<const PlacementRequest> request, std::shared_ptr<const Rules> rules,
                          Deadline deadline, std::optional<IdempotencyKey> key = {});

  // The pure part on a given picture, for dry runs and replays. The request's what-if is applied to the picture first.
  // All or nothing: when an instance finds no host, it is the last one in the result.
  Result<Placement> decide_on(std::shared_ptr<const PlacementRequest> request, std::shared_ptr<const Rules> rules,
                              std::shared_ptr<const Picture> picture, std::int64_t now_us,
                              std::span<const PinnedInstance> pinned = {}) const;

  // Finishes or gives back the starts that a stopped service or an unreachable host left behind, and ends the moves and
  // deletes of stopped services. Idempotent, but for one replica at a time.
  Result<void> recover(Store& store, Deadline deadline);

 private:
  // With a conflict: every host tried refused, and that is why the last one did.
  Result<ClaimsTaken> take_first(const Placement& placement, Deadline deadline,
                                 const std::optional<IdempotencyKey>& key);
  Result<std::vector<ClaimOrder>> orders_for(const Placement& placement, std::span<const std::size_t> choice);
  Result<ClaimsTaken> take(const Placement& placement, std::vector<ClaimOrder> orders, Deadline deadline,
                           const std::optional<IdempotencyKey>& key);
  // Where no host fits: the claims that are held for an equal request, if names are to be unique.
  Result<Placement> find_held(Placement placement, Deadline deadline, const std::optional<IdempotencyKey>& key);
  // For instance i of the request; without a host it only looks for what is held.
  ClaimOrder order_for(const PlacementRequest& request, std::size_t i, const VmRequest& vm, std::string host) const;
  void start(StartOrder order);

  const Pictures& pictures_;
  Claims& claims_;
  Hypervisors& hypervisors_;
  Ambient ambient_;
};

}  // namespace emplace
