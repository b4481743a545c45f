// The doors of the core: the interfaces of what it needs from the world. Implementations live in service/store,
// service/hypervisor, service/openstack and service/observe; main.cc puts them together, and no door knows another. All methods
// may be called from any thread, and every one that waits has a deadline of its own.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "service/core/change.h"
#include "service/core/finding.h"
#include "service/core/operations.h"
#include "service/core/picture.h"
#include "service/core/request.h"
#include "service/core/result.h"
#include "service/core/rules.h"

namespace emplace {

using Deadline = std::chrono::steady_clock::time_point;

// ---- where pictures come from (service/observe)

class Pictures {
 public:
  virtual ~Pictures() = default;
  virtual std::shared_ptr<const Picture> latest() const = 0;
  // Waits until the latest picture contains the event (a caller reads its own writes), at most until the deadline. False at
  // once when the whole state is loaded anew meanwhile, and the event is not in it: it may never be.
  virtual bool wait_for(std::int64_t event_seq, Deadline deadline) const = 0;
  // The picture of that version again, from the history: kGone "emplace.replay.expired" beyond retention, also for a version
  // of another replica.
  virtual Result<std::shared_ptr<const Picture>> at(const PictureVersion& version) const = 0;
};

// ---- what was promised (service/store)

struct Claim {
  Uuid id;
  Uuid vm;
  std::string vm_name;
  std::string project = {};
  std::string group = {};
  std::string host;
  std::vector<std::uint32_t> cells;
  std::string state;  // "held", "confirmed"
  std::int64_t expires_at_us = 0;
  std::int64_t generation = 0;  // of the host, after this claim
  std::int64_t taken_at_us = 0;
  bool existing = false;  // an order with unique_name found it held for an equal request
};

// A claim whose vm is to be started.
struct StartOrder {
  Claim claim;
  VmRequest vm;
};

struct ClaimOrder {
  Uuid id;             // chosen by the caller, so that an unknown outcome can be asked for
  VmRequest vm;        // with its id
  std::string host;
  std::uint32_t ttl_s = 60;
  bool start = false;  // the claim belongs to a vm that will be started: it is confirmed or given back by us, and a
                       // restart finds it
  bool move = false;   // the vm is on another host now; confirming moves it
  // No other vm of the project may have the name: kConflict "emplace.vm.name_taken", or, when a claim holds it for an
  // equal request, that claim. Orders that are taken together are all new or all found. One without a host only looks.
  bool unique_name = false;
  bool any_id = false;  // the vm's id was made for this order: an equal request may have another
  std::string takes = {};  // of its host, beyond amounts and cells (takes.h)
};

// Why the store refused: lack of room or a broken rule, never because a number moved.
struct Conflict {
  std::size_t order = 0;  // which of the orders
  Refusal why;
};

struct DecisionRecord {
  Uuid id;
  Uuid vm;
  std::string profile;
  PictureVersion picture;
  std::string request;   // JSON: what a replay needs besides the picture (request, vm ids, profile, digests, now)
  std::string document;  // JSON: the decision, byte for byte what a replay must give
  std::int64_t made_at_us = 0;
  // Of the first vm; no host: none fits.
  std::string vm_name = {}, project = {}, host = {};
  std::vector<Uuid> vms = {};  // all of them, when there are several
};

struct IdempotencyKey {
  std::string key;
  std::string token;      // hash of the caller's token
  std::string body_hash;
};
struct RememberedAnswer {
  int status = 200;
  std::string body;
};

// Written in the transaction of the claims they belong to.
struct ClaimRecords {
  std::optional<DecisionRecord> decision;
  std::optional<std::pair<IdempotencyKey, RememberedAnswer>> answer;
};

struct ClaimsTaken {
  std::vector<Claim> claims;            // one per order, when all were taken
  std::optional<Conflict> conflict = {};  // else the first that could not be; nothing was taken
  std::int64_t event_seq = 0;
};

class Claims {
 public:
  virtual ~Claims() = default;
  // All or nothing. `records` is called once the claims are decided and before they are committed (on a thread of the
  // store; it must not call the store). kUnavailable: nothing was taken. kUnknownOutcome: it may have been; ask claim(id).
  virtual Result<ClaimsTaken> take(std::vector<ClaimOrder> orders,
                                   std::function<ClaimRecords(std::span<const Claim>)> records, Deadline deadline) = 0;
  // The vm is there: held → confirmed, the vm gets this host and state. Confirming twice is no error. kNotFound, or kConflict
  // "emplace.claim.expired". `event_seq` of the change is returned.
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

// ---- what was answered to schedulers that take hosts themselves (service/observe)

struct Reservation {
  VmRequest vm;  // with its id, by which it is known
  std::string host;
  std::string takes = {};  // of it (takes.h)
};

// In-flight reservations: a host that was named to Nova counts as taken until the vm is seen there or the time is up, so
// that schedulers that ask at once do not all get the same host. They are claims that nobody waits for: every replica
// hears of them soon, a crash may lose them, and no lack of room refuses one. Their claim has the vm's own id.
class Reservations {
 public:
  using Decide = std::function<std::vector<Reservation>(const std::shared_ptr<const Picture>&)>;

  virtual ~Reservations() = default;
  // Calls `decide` with the latest picture as it is without the earlier reservations of `vms`, and reserves what it returns
  // instead of them, before anybody else decides here. A vm that is on its host already, or has no id, reserves nothing.
  virtual void reserve(std::span<const Uuid> vms, std::uint32_t ttl_s, const Decide& decide) = 0;
};

// ---- what hypervisors report (service/observe → service/store)

// What a hypervisor says about one domain.
struct DomainSeen {
  Uuid id;
  std::string name;
  VmState state = VmState::kRunning;
  double vcpus = 0, memory_mib = 0;          // as it runs; of one that is off, as it would start
  std::optional<Uuid> claim = {};            // from our metadata
  bool nova = false;                         // carries Nova's metadata: never touched
  double vcpus_max = 0, memory_max_mib = 0;  // what it may grow to, also after a restart; 0: not known
  std::optional<double> disk_gib = {};       // of its disks together, as the guest sees them
};

// What is on a host now, as far as it differs from a picture, which may lag: the store compares it again, under lock,
// with what it has. Nobody's order is overwritten by it.
struct VmReport {
  std::string host;
  std::vector<DomainSeen> seen = {};
  std::set<Uuid> arrived = {};          // of those: no longer where the store has them
  std::vector<DomainSeen> copies = {};  // they run elsewhere too, and count here as vms of source "duplicate" (copy_id)
  std::vector<Uuid> gone = {};
};

class Sightings {
 public:
  virtual ~Sightings() = default;
  // What a host has; the operator's word about its state stays, one that was down is enabled. The event_seq is
  // returned.
  virtual Result<std::int64_t> host_seen(HostRow host, Deadline deadline) = 0;
  virtual Result<std::int64_t> host_lost(const std::string& host, Deadline deadline) = 0;  // enabled → down
  // A vm that moves stays as it is until its move has ended. A vm that others made (source found, nova, duplicate) is
  // removed when it is gone, one of ours is stopped.
  virtual Result<std::int64_t> vms_seen(VmReport report, Deadline deadline) = 0;
};

// ---- lists

enum class ListOrder { kId, kName, kMadeAt };

// Where a page of a list begins: after the row that has this id and, where the list is ordered by it, this name or time.
struct ListMarker {
  Uuid id = {};
  std::string name = {};
  std::int64_t made_at_us = 0;
};

// Which rows of a list, in which order, from where. What is empty does not narrow it.
struct ListQuestion {
  std::string host = {}, group = {}, project = {}, state = {}, name_prefix = {};
  std::optional<Uuid> vm = {};
  ListOrder order = ListOrder::kId;
  bool descending = false;
  std::optional<ListMarker> after = {};
  std::size_t limit = 100;
};

// Rows as they were together when event `event_seq` was the newest.
template <typename Row>
struct Listed {
  std::vector<Row> rows = {};
  std::int64_t event_seq = 0;
};

// What the service as a whole needs of the store: besides claims, the inventory, decisions, events, idempotency.

inline constexpr std::string_view kProfileEvent = "profile";  // the one kind that is no change of the picture

struct Event {
  std::int64_t seq = 0;
  std::int64_t at_us = 0;
  std::string kind;     // of the change: "host", "vm", "vm_removed", ...; or kProfileEvent
  std::string payload;  // to_json(Change), or the profile
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

// A reservation as every replica's picture shows it: the row's claim is its vm's id.
struct ReservedVm {
  VmRow row;
  std::int64_t expires_at_us = 0;
};

struct StoreState {
  bool connected = false;
  std::string message;             // one line for an operator when not connected
  std::int64_t down_since_us = 0;
  std::int64_t queued_claims = 0;
  std::int64_t committed_batches = 0, committed_claims = 0;
};

class Store : public Claims, public Operations, public Sightings {
 public:
  // One transaction: all changes, their events, or none. Upserts by name or id (a vm without an id: by name, else a new id).
  // kInvalid naming row and field for references to unknown hosts or groups; kConflict for removing a host with vms, a group
  // with members, or when `if_match` is not the row's generation (the message tells the current one).
  virtual Result<Written> write(std::vector<Change> changes, std::optional<std::int64_t> if_match,
                                std::optional<std::pair<IdempotencyKey, RememberedAnswer>> answer, Deadline deadline) = 0;
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
  virtual Result<void> record(DecisionRecord decision, std::optional<std::pair<IdempotencyKey, RememberedAnswer>> answer,
                              Deadline deadline) = 0;
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
  // Reservations, one per vm: a later one takes an earlier one's place, until released or expired. They may be lost in a
  // crash of the database. The event_seq of the change is returned.
  virtual Result<std::int64_t> reserve(std::vector<ReservedVm> reserved, Deadline deadline) = 0;
  virtual Result<std::int64_t> release(std::vector<Uuid> vms, Deadline deadline) = 0;
  virtual StoreState state() const = 0;
};

// ---- who starts and moves vms (service/hypervisor)

using Parameters = std::map<std::string, std::string>;

struct MoveOrder {
  Uuid vm;
  std::string vm_name;
  std::string from, to;
  Parameters options = {};  // "mode": p2p|direct, "post_copy", "auto_converge", "bandwidth_mib_s", "max_downtime_ms",
                            // "timeout_s", "copy_storage", "unsafe", "destination_uri": strings as in the request
};
inline constexpr std::chrono::seconds kMoveTimeout{600};  // when the options name no timeout_s

struct MoveProgress {
  double fraction = 0;  // 0..1 of the bytes
  double total_mib = 0, remaining_mib = 0, dirty_mib_per_s = 0;
  double downtime_ms = 0;
  std::optional<VmState> left_in = {};  // how the vm was seen on its source after a move that failed
};
using Done = std::function<void(Result<void>)>;

class Hypervisors {
 public:
  virtual ~Hypervisors() = default;
  virtual bool drives(const std::string& host) const = 0;  // a configured libvirt host?
  // Whether an order can be carried out, as far as that is known without asking a host: kInvalid naming field, wanted
  // and found.
  virtual Result<void> check(const StartOrder&) const { return {}; }
  virtual Result<void> check(const MoveOrder&) const { return {}; }
  // These return at once; the work is done on the host's own thread and `done` is called there exactly once, also when the
  // host does not answer (with our deadline). Acts are idempotent: starting what runs with the same claim succeeds.
  virtual void start(StartOrder order, Done done) = 0;
  // Power off and undefine; absent is done. `claim` given: only a domain that was started for it.
  virtual void destroy(const std::string& host, const Uuid& vm, std::optional<Uuid> claim, Done done) = 0;
  virtual void shut_down(const std::string& host, const Uuid& vm, Done done) = 0;  // asks the guest
  virtual void move(MoveOrder order, std::function<void(const MoveProgress&)> progress, Done done) = 0;
  // Asks the hypervisor now.
  virtual Result<std::vector<DomainSeen>> domains(const std::string& host, Deadline deadline) = 0;
};

// ---- what a cloud says of itself, and who its users are (service/openstack)

// Whole tables as they are now, with source "openstack"; a table that could not be read is absent and stays as it was.
struct CloudReport {
  std::optional<std::vector<AggregateRow>> aggregates = {};
  std::optional<std::vector<GroupRow>> groups = {};
  std::optional<std::vector<HostRow>> hosts = {};
  std::optional<std::vector<VmRow>> vms = {};
  std::set<Uuid> deleted_vms = {};  // that the cloud says are deleted, rather than only lists no more
  std::vector<Finding> findings = {};  // what is wrong with the hosts; their names are kCloudFindings
  std::int64_t read_at_us = 0;      // with hosts and vms: when the oldest of what they are made of was read
};

// The owner of a token.
struct Caller {
  std::string user, project;
  std::vector<std::string> roles;
  std::int64_t expires_at_us = 0;
};

// Hosts by their resource providers.
struct CandidateHosts {
  std::vector<Uuid> providers = {};  // sorted
  bool cut_off = false;              // Placement may have more, and does not give them at once
};

// Placement's allocation candidates.
class AllocationCandidates {
 public:
  virtual ~AllocationCandidates() = default;
  // The hosts on which it has room for the vm. Nothing: the picture can say it as well, or is to by configuration.
  // kUnavailable, kTimeout, kForbidden: Placement does not say; kInvalid: it refuses the request, such as a trait that it
  // does not know.
  virtual Result<std::optional<CandidateHosts>> candidates(const VmRequest& vm, Deadline deadline) = 0;
};

// Knows tokens that are not ours.
class TokenAuthority {
 public:
  virtual ~TokenAuthority() = default;
  // What was found out lately, without waiting; nothing: ask verify().
  virtual std::optional<Result<Caller>> remembered(std::string_view token) = 0;
  // Waits. kUnauthorized for a token that is unknown, expired or revoked; kUnavailable, kTimeout: nobody could say.
  virtual Result<Caller> verify(const std::string& token, Deadline deadline) = 0;
};

}  // namespace emplace
