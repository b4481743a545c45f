// Store: the door to the service's memory (service/store): claims, operations, inventory, decisions, events,
// idempotency.
//
// Threads: any. Every call waits at most until its deadline.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/base/uuid.h"
#include "service/core/change/change.h"
#include "service/core/change/claim.h"
#include "service/core/doors/claims.h"
#include "service/core/doors/decisions.h"
#include "service/core/doors/lists.h"
#include "service/core/doors/operations.h"
#include "service/core/doors/reservations.h"
#include "service/core/doors/sightings.h"

namespace emplace {

inline constexpr std::string_view kProfileEvent = "profile";  // the one kind that is no change of the picture

struct Event {
  std::int64_t seq = 0;
  std::int64_t at_us = 0;
  std::string kind;        // of the change: "host", "vm", "vm_removed", ...; or kProfileEvent
  std::string payload;     // to_json(Change), or the profile
  std::string actor = {};  // who made the change (actor.h); empty: not known
};

struct Written {
  std::int64_t event_seq = 0;
  std::int64_t generation = 0;  // of the host or group, where there was one
};

// A static vm that our own hypervisors run: what is needed to make it again.
struct StoredVm {
  StartOrder order;
  VmState state = VmState::kRunning;
};

struct StoreState {
  bool connected = false;
  std::string message;  // one line for an operator when not connected
  std::int64_t down_since_us = 0;
  std::int64_t queued_claims = 0;
  std::int64_t committed_batches = 0, committed_claims = 0;
};

class Store : public Claims, public Operations, public Sightings {
 public:
  // One transaction: all changes, their events, or none. Upserts by name or id (a vm without an id: by name, else a new
  // id). kInvalid naming row and field for references to unknown hosts or groups; kConflict for removing a host with
  // vms, a group with members, or when `if_match` is not the row's generation (the message tells the current one).
  virtual Result<Written> write(std::vector<Change> changes, std::optional<std::int64_t> if_match,
                                std::optional<std::pair<IdempotencyKey, RememberedAnswer>> answer,
                                Deadline deadline) = 0;
  virtual Result<Written> set_host_state(const std::string& host, HostState state, std::optional<std::int64_t> if_match,
                                         Deadline deadline) = 0;
  // Attributes that somebody else than the cloud tells of a host, a JSON object, in the place of those of before
  // (nova_state.h). kNotFound; kInvalid naming the attribute; kConflict as in write().
  virtual Result<Written> push_nova_state(const std::string& host, std::string attributes,
                                          std::optional<std::int64_t> if_match, Deadline deadline) = 0;
  virtual Result<Written> set_vm_state(const Uuid& vm, VmState state, Deadline deadline) = 0;

  // Held claims, and decisions without their request and document.
  virtual Result<Listed<Claim>> claims(const ListQuestion& question, Deadline deadline) = 0;
  virtual Result<Listed<DecisionRecord>> decisions(const ListQuestion& question, Deadline deadline) = 0;
  virtual Result<DecisionRecord> decision(const Uuid& id, Deadline deadline) = 0;
  virtual Result<void> record(DecisionRecord decision,
                              std::optional<std::pair<IdempotencyKey, RememberedAnswer>> answer, Deadline deadline) = 0;
  // The stored answer; nothing: a new key; kUnprocessable: the key was used with another body.
  virtual Result<std::optional<RememberedAnswer>> remembered(const IdempotencyKey& key, Deadline deadline) = 0;
  virtual Result<std::vector<Event>> events_after(std::int64_t seq, std::size_t limit, Deadline deadline) = 0;
  // Vms that our hypervisors are to run, and held claims of vms that were to be started.
  virtual Result<std::vector<StoredVm>> stored_vms(Deadline deadline) = 0;
  virtual Result<std::vector<StartOrder>> unfinished_starts(Deadline deadline) = 0;
  // Profiles that were changed over REST, as JSON by name; a change is also an event of kind "profile" whose payload is
  // that JSON (change_from_json does not read it: it is no row of the picture).
  virtual Result<std::map<std::string, std::string>> profiles(Deadline deadline) = 0;
  // An empty `json` forgets the change (kNotFound when there is none); its event is {"name": ..., "removed": true}.
  virtual Result<std::int64_t> put_profile(const std::string& name, const std::string& json, Deadline deadline) = 0;
  // Reservations, one per vm: a later one takes an earlier one's place, until released or expired. They may be lost in
  // a crash of the database. The event_seq of the change is returned.
  virtual Result<std::int64_t> reserve(std::vector<ReservedVm> reserved, Deadline deadline) = 0;
  virtual Result<std::int64_t> release(std::vector<Uuid> vms, Deadline deadline) = 0;
  virtual StoreState state() const = 0;
};

}  // namespace emplace
