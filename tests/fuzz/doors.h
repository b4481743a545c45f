// Doors to nowhere, for targets that need the Api or the Scheduler: a picture that never changes, a store that says yes
// and keeps nothing, hypervisors that drive no host.
#pragma once

#include "service/core/act/scheduler.h"
#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/change/change.h"
#include "service/core/change/claim.h"
#include "service/core/doors/claims.h"
#include "service/core/doors/decisions.h"
#include "service/core/doors/hypervisors.h"
#include "service/core/doors/lists.h"
#include "service/core/doors/operations.h"
#include "service/core/doors/pictures.h"
#include "service/core/doors/reservations.h"
#include "service/core/doors/sightings.h"
#include "service/core/doors/store.h"
#include "service/core/picture/picture.h"
#include "tests/fuzz/cluster.h"

namespace emplace::fuzz {

// Clocks that stand still, uuids that count.
Ambient still_ambient();

class StillPictures : public Pictures {
 public:
  std::shared_ptr<const Picture> latest() const override { return cluster(); }
  bool wait_for(std::int64_t, Deadline) const override { return true; }
  Result<std::shared_ptr<const Picture>> at(const PictureVersion&) const override {
    return fail(ErrorCode::kGone, "no history", "emplace.replay.expired");
  }
};

class DeafStore : public Store {
 public:
  Result<ClaimsTaken> take(std::vector<ClaimOrder> orders, std::function<ClaimRecords(std::span<const Claim>)> records,
                           Deadline deadline) override;
  Result<std::int64_t> confirm(const Uuid&, VmState, Deadline) override { return 1; }
  Result<std::int64_t> give_back(const Uuid&, std::string, Deadline) override { return 1; }
  Result<Claim> claim(const Uuid&, Deadline) override { return fail(ErrorCode::kNotFound, "no such claim"); }
  Result<Written> write(std::vector<Change>, std::optional<std::int64_t>,
                        std::optional<std::pair<IdempotencyKey, RememberedAnswer>>, Deadline) override {
    return Written{1, 1};
  }
  Result<Written> set_host_state(const std::string&, HostState, std::optional<std::int64_t>, Deadline) override {
    return Written{1, 1};
  }
  Result<Written> push_nova_state(const std::string&, std::string, std::optional<std::int64_t>, Deadline) override {
    return Written{1, 1};
  }
  Result<Written> set_vm_state(const Uuid&, VmState, Deadline) override { return Written{1, 1}; }
  Result<Listed<Claim>> claims(const ListQuestion&, Deadline) override { return Listed<Claim>(); }
  Result<Listed<DecisionRecord>> decisions(const ListQuestion&, Deadline) override { return Listed<DecisionRecord>(); }
  Result<DecisionRecord> decision(const Uuid&, Deadline) override {
    return fail(ErrorCode::kNotFound, "no such decision");
  }
  Result<void> record(DecisionRecord, std::optional<std::pair<IdempotencyKey, RememberedAnswer>>, Deadline) override {
    return {};
  }
  Result<std::optional<RememberedAnswer>> remembered(const IdempotencyKey&, Deadline) override {
    return std::optional<RememberedAnswer>();
  }
  Result<std::vector<Event>> events_after(std::int64_t, std::size_t, Deadline) override { return std::vector<Event>(); }
  Result<std::vector<StoredVm>> stored_vms(Deadline) override { return std::vector<StoredVm>(); }
  Result<std::vector<StartOrder>> unfinished_starts(Deadline) override { return std::vector<StartOrder>(); }
  Result<std::map<std::string, std::string>> profiles(Deadline) override {
    return std::map<std::string, std::string>();
  }
  Result<std::int64_t> put_profile(const std::string&, const std::string&, Deadline) override { return 1; }
  Result<std::int64_t> reserve(std::vector<ReservedVm>, Deadline) override { return 0; }
  Result<std::int64_t> release(std::vector<Uuid>, Deadline) override { return 0; }
  StoreState state() const override { return {.connected = true, .message = ""}; }
  Result<Operation> operation(const Uuid&, Deadline) override {
    return fail(ErrorCode::kNotFound, "no such operation");
  }
  Result<std::vector<Operation>> operations(const OperationFilter&, Deadline) override {
    return std::vector<Operation>();
  }
  Result<void> begin(Operation, Deadline) override { return {}; }
  Result<std::int64_t> end(const Uuid&, const std::string&, const std::string&, Deadline) override { return 1; }
  Result<void> note_progress(const Uuid&, double, Deadline) override { return {}; }
  Result<std::vector<Operation>> forsaken(Deadline) override { return std::vector<Operation>(); }
  Result<std::int64_t> host_seen(HostRow, Deadline) override { return 1; }
  Result<std::int64_t> host_lost(const std::string&, Deadline) override { return 1; }
  Result<std::int64_t> vms_seen(VmReport, Deadline) override { return 1; }
};

// Decides, and forgets.
class NoReservations : public Reservations {
 public:
  explicit NoReservations(const Pictures& pictures) : pictures_(pictures) {}
  void reserve(std::span<const Uuid>, std::uint32_t, const Decide& decide) override { decide(pictures_.latest()); }

 private:
  const Pictures& pictures_;
};

class DeafHypervisors : public Hypervisors {
 public:
  bool drives(const std::string&) const override { return false; }
  void start(StartOrder, Done done) override { done({}); }
  void destroy(const std::string&, const Uuid&, std::optional<Uuid>, Done done) override { done({}); }
  void shut_down(const std::string&, const Uuid&, Done done) override { done({}); }
  void move(MoveOrder, std::function<void(const MoveProgress&)>, Done done) override { done({}); }
  Result<std::vector<DomainSeen>> domains(const std::string&, Deadline) override { return std::vector<DomainSeen>(); }
};

}  // namespace emplace::fuzz
