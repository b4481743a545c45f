// PostgresStore: the store over a PostgreSQL whose schema is migrated (migrations.h), embedded (embedded.h) or an
// operator's. Claims are committed together by a Committer, everything else runs on a small pool of sessions; every
// call waits at most until its deadline. When the database goes away calls answer kUnavailable, state() says so, and
// everything works again by itself when it is back.
//
//   migrate(connection, known_migrations(), deadline);
//   PostgresStore store({.connection = ..., .replica = ..., .now_us = ..., .new_uuid = ..., .log = ...});
//   store.load(take, deadline);                     // the whole state, and the seq of the last event in it
//   auto tail = store.tail(seq, deliver, lost);     // every later event, once, in order
//   store.keep_house();                             // expiry and retention, on the replica that holds the lease
//
// Threads: one for the committer, `sessions` for the pool, one that cuts off what does not answer, one for
// keep_house().
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "service/core/base/deadline.h"
#include "service/core/base/leader.h"
#include "service/core/base/result.h"
#include "service/core/change/change.h"
#include "service/core/change/claim.h"
#include "service/core/doors/claims.h"
#include "service/core/doors/decisions.h"
#include "service/core/doors/lists.h"
#include "service/core/doors/operations.h"
#include "service/core/doors/reservations.h"
#include "service/core/doors/sightings.h"
#include "service/core/doors/store.h"
#include "service/store/address.h"
#include "service/store/event_tail.h"
#include "service/store/log.h"

namespace emplace {

struct StoreOptions {
  std::string connection;                // as libpq reads it: "host=... user=..." or a postgresql:// URL
  std::string replica;                   // name of this emplaced, for leases
  std::function<std::int64_t()> now_us;  // wall clock
  std::function<Uuid()> new_uuid;
  Log log;
  std::size_t sessions = 4;
  std::int64_t decision_retention_s = 7 * 24 * 3600;
  std::int64_t event_retention_s = 24 * 3600;
  std::string schema = kDefaultSchema;
};

// What is odd about a database that answers.
struct DatabaseState {
  std::string full;                 // what it said when it had no room to write; empty: it has
  std::int64_t clock_ahead_us = 0;  // our clock's lead over its, which decides what has expired
  std::int64_t rewinds = 0;         // how often it turned out to lack events that the picture had
  std::int64_t rewound_at_us = 0;   // the last time
};

inline constexpr std::int64_t kClockTolerance_us = 2'000'000;  // a greater difference is a fault

class PostgresStore final : public Store {
 public:
  explicit PostgresStore(StoreOptions options);
  ~PostgresStore() override;
  PostgresStore(const PostgresStore&) = delete;
  PostgresStore& operator=(const PostgresStore&) = delete;

  // The whole state in pieces, in an order that apply() can take; the seq of the last event that is in it. `take` is
  // called on a thread of the store, not after load() returned.
  Result<std::int64_t> load(std::function<void(std::vector<Change>)> take, Deadline deadline);
  // The tail must not outlive the store.
  std::unique_ptr<EventTail> tail(std::int64_t after, EventTail::Deliver deliver, EventTail::Lost lost);
  // Leads the job for so long, or for so much longer; nothing: another replica leads it.
  Result<std::optional<Leader>> hold_lease(const std::string& name, std::int64_t ttl_s, Deadline deadline);
  // When what a source of hosts and vms says was last written as a whole (readings.h); nothing: never.
  Result<std::optional<std::int64_t>> last_reading(const std::string& source, Deadline deadline);
  Result<void> note_reading(const std::string& source, std::int64_t read_at_us, Deadline deadline);
  // Starts the periodic job: expired claims, old decisions, answers and events. Also notices within about a second when
  // the database goes away or comes back.
  void keep_house();
  // One round of it, whoever holds the lease: the number of claims and reservations that expired.
  Result<std::int64_t> expire_claims(Deadline deadline);

  Result<ClaimsTaken> take(std::vector<ClaimOrder> orders, std::function<ClaimRecords(std::span<const Claim>)> records,
                           Deadline deadline) override;
  Result<std::int64_t> confirm(const Uuid& claim, VmState state, Deadline deadline) override;
  Result<std::int64_t> give_back(const Uuid& claim, std::string failure, Deadline deadline) override;
  Result<Claim> claim(const Uuid& id, Deadline deadline) override;
  Result<void> note(const Uuid& claim, const std::string& failure, Deadline deadline) override;

  Result<Written> write(std::vector<Change> changes, std::optional<std::int64_t> if_match,
                        std::optional<std::pair<IdempotencyKey, RememberedAnswer>> answer, Deadline deadline) override;
  Result<Written> set_host_state(const std::string& host, HostState state, std::optional<std::int64_t> if_match,
                                 Deadline deadline) override;
  Result<Written> push_nova_state(const std::string& host, std::string attributes, std::optional<std::int64_t> if_match,
                                  Deadline deadline) override;
  Result<Written> set_vm_state(const Uuid& vm, VmState state, Deadline deadline) override;

  // Held claims; a confirmed one is found by claim().
  Result<Listed<Claim>> claims(const ListQuestion& question, Deadline deadline) override;
  Result<Listed<DecisionRecord>> decisions(const ListQuestion& question, Deadline deadline) override;
  Result<DecisionRecord> decision(const Uuid& id, Deadline deadline) override;
  Result<void> record(DecisionRecord decision, std::optional<std::pair<IdempotencyKey, RememberedAnswer>> answer,
                      Deadline deadline) override;
  Result<std::optional<RememberedAnswer>> remembered(const IdempotencyKey& key, Deadline deadline) override;
  // kGone when the next one is beyond retention.
  Result<std::vector<Event>> events_after(std::int64_t seq, std::size_t limit, Deadline deadline) override;
  Result<std::vector<StoredVm>> stored_vms(Deadline deadline) override;
  Result<std::vector<StartOrder>> unfinished_starts(Deadline deadline) override;
  Result<std::map<std::string, std::string>> profiles(Deadline deadline) override;
  Result<std::int64_t> put_profile(const std::string& name, const std::string& json, Deadline deadline) override;
  Result<std::int64_t> reserve(std::vector<ReservedVm> reserved, Deadline deadline) override;
  Result<std::int64_t> release(std::vector<Uuid> vms, Deadline deadline) override;
  StoreState state() const override;
  DatabaseState database() const;

  Result<Operation> operation(const Uuid& id, Deadline deadline) override;
  Result<std::vector<Operation>> operations(const OperationFilter& filter, Deadline deadline) override;
  Result<void> begin(Operation operation, Deadline deadline) override;
  Result<std::int64_t> end(const Uuid& id, const std::string& state, const std::string& error,
                           Deadline deadline) override;
  Result<void> note_progress(const Uuid& id, double progress, Deadline deadline) override;
  Result<std::vector<Operation>> forsaken(Deadline deadline) override;

  Result<std::int64_t> host_seen(HostRow host, Deadline deadline) override;
  Result<std::int64_t> host_lost(const std::string& host, Deadline deadline) override;
  Result<std::int64_t> vms_seen(VmReport report, Deadline deadline) override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace emplace
