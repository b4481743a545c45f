// Claims: the door to what was promised (service/store).
//
// Threads: any. Every call waits at most until its deadline.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/base/uuid.h"
#include "service/core/change/change.h"
#include "service/core/change/claim.h"
#include "service/core/decide/rules.h"
#include "service/core/doors/decisions.h"
#include "service/core/request/request.h"

namespace emplace {

// A claim whose vm is to be started.
struct StartOrder {
  Claim claim;
  VmRequest vm;
};

struct ClaimOrder {
  Uuid id;       // chosen by the caller, so that an unknown outcome can be asked for
  VmRequest vm;  // with its id
  std::string host;
  std::uint32_t ttl_s = 60;
  bool start = false;  // the claim belongs to a vm that will be started: it is confirmed or given back by us, and a
                       // restart finds it
  bool move = false;   // the vm is on another host now; confirming moves it
  // No other vm of the project may have the name: kConflict "emplace.vm.name_taken", or, when a claim holds it for an
  // equal request, that claim. Orders that are taken together are all new or all found. One without a host only looks.
  bool unique_name = false;
  bool any_id = false;     // the vm's id was made for this order: an equal request may have another
  std::string takes = {};  // of its host, beyond amounts and cells (takes.h)
};

// Why the store refused: lack of room or a broken rule, never because a number moved.
struct Conflict {
  std::size_t order = 0;  // which of the orders
  Refusal why;
};

// Written in the transaction of the claims they belong to.
struct ClaimRecords {
  std::optional<DecisionRecord> decision;
  std::optional<std::pair<IdempotencyKey, RememberedAnswer>> answer;
};

struct ClaimsTaken {
  std::vector<Claim> claims;              // one per order, when all were taken
  std::optional<Conflict> conflict = {};  // else the first that could not be; nothing was taken
  std::int64_t event_seq = 0;
};

class Claims {
 public:
  virtual ~Claims() = default;
  // All or nothing. `records` is called once the claims are decided and before they are committed (on a thread of the
  // store; it must not call the store). kUnavailable: nothing was taken. kUnknownOutcome: it may have been; ask
  // claim(id).
  virtual Result<ClaimsTaken> take(std::vector<ClaimOrder> orders,
                                   std::function<ClaimRecords(std::span<const Claim>)> records, Deadline deadline) = 0;
  // The vm is there: held → confirmed, the vm gets this host and state. Confirming twice is no error. kNotFound, or
  // kConflict "emplace.claim.expired". `event_seq` of the change is returned.
  virtual Result<std::int64_t> confirm(const Uuid& claim, VmState state, Deadline deadline) = 0;
  // Gives the resources back; releasing what is gone is kNotFound. `failure` not empty: the vm is kept, as failed, or
  // where it was if it was to move.
  virtual Result<std::int64_t> give_back(const Uuid& claim, std::string failure, Deadline deadline) = 0;
  virtual Result<Claim> claim(const Uuid& id, Deadline deadline) = 0;
  // Why the vm of a held claim is not there yet, though it was tried; nobody else is told of it by default.
  virtual Result<void> note(const Uuid& claim, const std::string& failure, Deadline deadline) {
    std::ignore = std::tie(claim, failure, deadline);
    return {};
  }
};

}  // namespace emplace
