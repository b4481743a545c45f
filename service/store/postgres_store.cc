#include "service/store/postgres_store.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <thread>

#include "service/core/base/shown_text.h"
#include "service/core/json/json.h"
#include "service/store/committer.h"
#include "service/store/events.h"
#include "service/store/housekeeping.h"
#include "service/store/inventory.h"
#include "service/store/leases.h"
#include "service/store/operations.h"
#include "service/store/pooling.h"
#include "service/store/profiles.h"
#include "service/store/readings.h"
#include "service/store/records.h"
#include "service/store/reservations.h"
#include "service/store/rows.h"
#include "service/store/session_pool.h"
#include "service/store/sightings.h"
#include "service/store/sql.h"
#include "service/store/stored_claim.h"
#include "service/store/vm_json.h"

namespace emplace {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr char kHouse[] = "housekeeping";
constexpr std::int64_t kSecond_us = 1'000'000;
constexpr std::int64_t kDay_us = 24 * 3600 * kSecond_us;
constexpr std::size_t kExpireAtOnce = 1000;
constexpr char kSnapshot[] = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

Error too_many_answers() {
  return {ErrorCode::kTooMany, "too many idempotency keys are remembered; try later", "", 60};
}

StartOrder to_start(StoredClaim& stored) {
  auto vm = vm_from_definition(stored.definition);
  if (!vm) throw pqxx::conversion_error("claim " + to_string(stored.claim.id) + ": " + vm.error().message);
  return {std::move(stored.claim), std::move(*vm)};
}

std::string removal_of(const std::string& profile) {
  JsonWriter writer;
  writer.open().text("name", profile).flag("removed", true).close();
  return writer.take();
}

}  // namespace

struct PostgresStore::Parts {
  explicit Parts(StoreOptions given)
      : options(std::move(given)),
        address(options.connection, options.schema, options.replica),
        runner(options.new_uuid()),
        health(options.now_us),
        pool(address, options.sessions, watch, health),
        committer(address, watch, health, [this] { bells.ring(); }) {}

  ~Parts() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    if (house.joinable()) house.join();
  }

  void keep_house(PostgresStore& store);
  void house_round(PostgresStore& store, int round);
  void say_that_we_live();
  void delete_old_rows();
  void compare_clocks();
  Result<Written> write(std::function<Result<InventoryWritten>(pqxx::work&)> work, std::optional<KeyedAnswer> answer,
                        Deadline deadline);
  // For what nobody is told of.
  Result<void> note(Deadline deadline, std::function<Result<void>(pqxx::work&)> work);

  const StoreOptions options;
  const Address address;
  const Uuid runner;  // this process, among those that carry out operations
  Watch watch;
  Health health;
  Doorbells bells;
  SessionPool pool;
  Committer committer;

  std::atomic<std::int64_t> clock_ahead_us{0}, rewinds{0}, rewound_at_us{0};

  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  std::thread house;
};

Result<void> PostgresStore::Parts::note(Deadline deadline, std::function<Result<void>(pqxx::work&)> work) {
  return pool
      .write<bool>(deadline, [work = std::move(work)](
                                 pqxx::work& transaction) { return work(transaction).map([] { return true; }); })
      .map([](bool) {});
}

// The common end of everything that changes shared state besides claims.
Result<Written> PostgresStore::Parts::write(std::function<Result<InventoryWritten>(pqxx::work&)> work,
                                            std::optional<KeyedAnswer> answer, Deadline deadline) {
  if (answer && !committer.may_remember()) return tl::unexpected(too_many_answers());
  auto written = pool.write<Written>(
      deadline, [work = std::move(work), answer = std::move(answer)](pqxx::work& transaction) -> Result<Written> {
        auto done = work(transaction);
        if (!done) return tl::unexpected(std::move(done.error()));
        if (answer && !insert_answers(transaction, {*answer}).empty())
          return tl::unexpected(answered_meanwhile(answer->first));
        return Written{append_events(transaction, done->events).last_seq, done->generation};
      });
  if (written) health.wrote();
  bells.ring();
  return written;
}

PostgresStore::PostgresStore(StoreOptions options) : parts_(std::make_unique<Parts>(std::move(options))) {}
PostgresStore::~PostgresStore() = default;

Result<std::int64_t> PostgresStore::load(std::function<void(std::vector<Change>)> take, Deadline deadline) {
  // The pieces are collected, so that a caller who left at the deadline is not called any more.
  const auto pieces = std::make_shared<std::vector<std::vector<Change>>>();
  auto seq = parts_->pool.read<std::int64_t>(deadline, [pieces](pqxx::work& transaction) -> Result<std::int64_t> {
    pieces->clear();
    transaction.exec(kSnapshot);
    const std::int64_t newest = newest_event(transaction);
    read_all(transaction, [&](std::vector<Change> piece) { pieces->push_back(std::move(piece)); });
    pieces->push_back(read_reservations(transaction));
    return newest;
  });
  if (!seq) return seq;
  for (auto& piece : *pieces) take(std::move(piece));
  return seq;
}

std::unique_ptr<EventTail> PostgresStore::tail(std::int64_t after, EventTail::Deliver deliver, EventTail::Lost lost) {
  const auto count = [parts = parts_.get(), lost = std::move(lost)](EventTail::Loss loss) {
    const auto seq = lost(loss);
    if (seq && loss == EventTail::Loss::kRewound) {
      parts->rewound_at_us = parts->options.now_us();
      ++parts->rewinds;
    }
    return seq;
  };
  return std::make_unique<EventTail>(parts_->address, after, std::move(deliver), count, parts_->watch, parts_->bells,
                                     parts_->options.log);
}

Result<std::optional<Leader>> PostgresStore::hold_lease(const std::string& name, std::int64_t ttl_s,
                                                        Deadline deadline) {
  return parts_->pool.write<std::optional<Leader>>(
      deadline,
      [name, ttl_s, holder = parts_->options.replica](pqxx::work& transaction) -> Result<std::optional<Leader>> {
        return take_lease(transaction, name, holder, ttl_s);
      });
}

Result<std::optional<std::int64_t>> PostgresStore::last_reading(const std::string& source, Deadline deadline) {
  using Reading = std::optional<std::int64_t>;
  return parts_->pool.read<Reading>(deadline, [source](pqxx::work& transaction) -> Result<Reading> {
    return emplace::last_reading(transaction, source);
  });
}

Result<void> PostgresStore::note_reading(const std::string& source, std::int64_t read_at_us, Deadline deadline) {
  return parts_->note(deadline, [source, read_at_us](pqxx::work& transaction) {
    emplace::note_reading(transaction, source, read_at_us);
    return Result<void>();
  });
}

void PostgresStore::keep_house() {
  parts_->house = std::thread([this] { parts_->keep_house(*this); });
}

Result<std::int64_t> PostgresStore::expire_claims(Deadline deadline) {
  const auto expired = parts_->pool.read<std::vector<Uuid>>(
      deadline,
      [](pqxx::work& transaction) -> Result<std::vector<Uuid>> { return read_expired(transaction, kExpireAtOnce); });
  if (!expired) return tl::unexpected(expired.error());
  for (const Uuid& id : *expired)
    if (auto done = parts_->committer.run(ExpireAct{id}, deadline); !done) return tl::unexpected(done.error());
  const auto reservations = parts_->pool.write<std::int64_t>(
      deadline, [](pqxx::work& transaction) -> Result<std::int64_t> { return expire_reservations(transaction); });
  if (!reservations) return reservations;
  if (*reservations > 0) parts_->bells.ring();
  return static_cast<std::int64_t>(expired->size()) + *reservations;
}

void PostgresStore::Parts::delete_old_rows() {
  const Retention retention{.decisions_us = options.decision_retention_s * kSecond_us,
                            .events_us = options.event_retention_s * kSecond_us,
                            .answers_us = 0,
                            .claims_us = kDay_us};
  const auto done = pool.write<bool>(Clock::now() + 30s, [retention](pqxx::work& transaction) -> Result<bool> {
    delete_old_operations(transaction);
    delete_old(transaction, retention);
    return true;
  });
  if (!done)
    options.log(LogLevel::kWarn,
                fmt::format("msg=\"old rows were not deleted\" error={}", log_text(done.error().message)));
}

// To within the time that the question took.
void PostgresStore::Parts::compare_clocks() {
  const std::int64_t before = options.now_us();
  const auto database = pool.read<std::int64_t>(
      Clock::now() + 1s, [](pqxx::work& transaction) -> Result<std::int64_t> { return sql::now_us(transaction); });
  const std::int64_t after = options.now_us();
  if (!database || after - before > kClockTolerance_us) return;
  const bool differed = std::abs(clock_ahead_us) > kClockTolerance_us;
  clock_ahead_us = before + (after - before) / 2 - *database;
  if (std::abs(clock_ahead_us) > kClockTolerance_us && !differed)
    options.log(
        LogLevel::kWarn,
        fmt::format("msg=\"our clock differs from the database's, which decides what has expired\" ahead_s={:.1f}",
                    static_cast<double>(clock_ahead_us) / 1e6));
}

void PostgresStore::Parts::say_that_we_live() {
  std::ignore = pool.write<bool>(Clock::now() + 5s, [id = runner, replica = options.replica](pqxx::work& transaction) {
    hear_of(transaction, id, replica);
    return Result<bool>(true);
  });
}

void PostgresStore::Parts::house_round(PostgresStore& store, int round) {
  if (!health.refused().empty() && check_pooling(address, Clock::now() + 2s)) health.allow();
  compare_clocks();
  const auto lease = store.hold_lease(kHouse, 10, Clock::now() + 1s);
  if (round % 5 == 0) say_that_we_live();
  if (round % 60 == 0) {
    const auto count = pool.read<std::int64_t>(
        Clock::now() + 10s, [](pqxx::work& transaction) -> Result<std::int64_t> { return count_answers(transaction); });
    if (count) committer.set_answers(*count);
  }
  if (!lease || !*lease) return;
  const Leading leading(**lease);
  const auto expired = store.expire_claims(Clock::now() + 5s);
  if (!expired)
    options.log(LogLevel::kWarn,
                fmt::format("msg=\"claims were not expired\" error={}", log_text(expired.error().message)));
  if (round % 10 == 0) delete_old_rows();
}

void PostgresStore::Parts::keep_house(PostgresStore& store) {
  bool connected = true;
  std::unique_lock lock(mutex);
  for (int round = 0; !stopping; ++round) {
    lock.unlock();
    house_round(store, round);
    const Health::State now = health.state();
    if (now.connected != connected)
      options.log(now.connected ? LogLevel::kInfo : LogLevel::kError,
                  now.connected ? std::string("msg=\"the database answers again\"")
                                : fmt::format("msg=\"the database does not answer\" error={}", log_text(now.message)));
    connected = now.connected;
    lock.lock();
    changed.wait_for(lock, 1s, [this] { return stopping; });
  }
}

Result<ClaimsTaken> PostgresStore::take(std::vector<ClaimOrder> orders,
                                        std::function<ClaimRecords(std::span<const Claim>)> records,
                                        Deadline deadline) {
  if (orders.empty()) return fail(ErrorCode::kInternal, "no claim was ordered");
  return parts_->committer.run(TakeAct{std::move(orders), std::move(records), parts_->runner}, deadline);
}

Result<std::int64_t> PostgresStore::confirm(const Uuid& claim, VmState state, Deadline deadline) {
  return parts_->committer.run(ConfirmAct{claim, state}, deadline).map([](const ClaimsTaken& done) {
    return done.event_seq;
  });
}

Result<std::int64_t> PostgresStore::give_back(const Uuid& claim, std::string failure, Deadline deadline) {
  return parts_->committer.run(GiveBackAct{claim, std::move(failure)}, deadline).map([](const ClaimsTaken& done) {
    return done.event_seq;
  });
}

Result<Claim> PostgresStore::claim(const Uuid& id, Deadline deadline) {
  return parts_->pool.read<Claim>(deadline, [id](pqxx::work& transaction) -> Result<Claim> {
    auto found = read_claims(transaction, {id});
    if (found.empty()) return fail(ErrorCode::kNotFound, fmt::format("no claim {}", to_string(id)));
    return std::move(found.front().claim);
  });
}

Result<Written> PostgresStore::write(std::vector<Change> changes, std::optional<std::int64_t> if_match,
                                     std::optional<std::pair<IdempotencyKey, RememberedAnswer>> answer,
                                     Deadline deadline) {
  return parts_->write(
      [changes = std::move(changes), if_match, new_uuid = parts_->options.new_uuid](pqxx::work& transaction) {
        return write_inventory(transaction, changes, if_match, new_uuid);
      },
      std::move(answer), deadline);
}

Result<Written> PostgresStore::set_host_state(const std::string& host, HostState state,
                                              std::optional<std::int64_t> if_match, Deadline deadline) {
  return parts_->write(
      [host, state, if_match](pqxx::work& transaction) { return write_host_state(transaction, host, state, if_match); },
      {}, deadline);
}

Result<Written> PostgresStore::push_nova_state(const std::string& host, std::string attributes,
                                               std::optional<std::int64_t> if_match, Deadline deadline) {
  return parts_->write(
      [host, attributes = std::move(attributes), if_match](pqxx::work& transaction) {
        return write_pushed_state(transaction, host, attributes, if_match);
      },
      {}, deadline);
}

Result<Written> PostgresStore::set_vm_state(const Uuid& vm, VmState state, Deadline deadline) {
  return parts_->write([vm, state](pqxx::work& transaction) { return write_vm_state(transaction, vm, state); }, {},
                       deadline);
}

Result<Listed<Claim>> PostgresStore::claims(const ListQuestion& question, Deadline deadline) {
  return parts_->pool.read<Listed<Claim>>(deadline, [question](pqxx::work& transaction) -> Result<Listed<Claim>> {
    transaction.exec(kSnapshot);
    Listed<Claim> claims;
    for (StoredClaim& stored : read_held_claims(transaction, question)) claims.rows.push_back(std::move(stored.claim));
    claims.event_seq = newest_event(transaction);
    return claims;
  });
}

Result<Listed<DecisionRecord>> PostgresStore::decisions(const ListQuestion& question, Deadline deadline) {
  using Decisions = Listed<DecisionRecord>;
  return parts_->pool.read<Decisions>(deadline, [question](pqxx::work& transaction) -> Result<Decisions> {
    transaction.exec(kSnapshot);
    return Decisions{read_decisions(transaction, question), newest_event(transaction)};
  });
}

Result<DecisionRecord> PostgresStore::decision(const Uuid& id, Deadline deadline) {
  return parts_->pool.read<DecisionRecord>(deadline, [id](pqxx::work& transaction) -> Result<DecisionRecord> {
    auto found = read_decision(transaction, id);
    if (!found) return fail(ErrorCode::kNotFound, fmt::format("no decision {}", to_string(id)));
    return std::move(*found);
  });
}

Result<void> PostgresStore::record(DecisionRecord decision,
                                   std::optional<std::pair<IdempotencyKey, RememberedAnswer>> answer,
                                   Deadline deadline) {
  if (answer && !parts_->committer.may_remember()) return tl::unexpected(too_many_answers());
  return parts_->note(
      deadline, [decision = std::move(decision), answer = std::move(answer)](pqxx::work& transaction) -> Result<void> {
        if (answer && !insert_answers(transaction, {*answer}).empty())
          return tl::unexpected(answered_meanwhile(answer->first));
        insert_decisions(transaction, {decision});
        return {};
      });
}

Result<std::optional<RememberedAnswer>> PostgresStore::remembered(const IdempotencyKey& key, Deadline deadline) {
  return parts_->pool.read<std::optional<RememberedAnswer>>(
      deadline, [key](pqxx::work& transaction) { return read_answer(transaction, key); });
}

Result<std::vector<Event>> PostgresStore::events_after(std::int64_t seq, std::size_t limit, Deadline deadline) {
  return parts_->pool.read<std::vector<Event>>(
      deadline, [seq, limit](pqxx::work& transaction) -> Result<std::vector<Event>> {
        transaction.exec(kSnapshot);
        auto events = read_events(transaction, seq, limit);
        const bool trimmed = events.empty() ? newest_event(transaction) > seq : events.front().seq != seq + 1;
        if (trimmed && limit > 0)
          return fail(ErrorCode::kGone, fmt::format("events after {} are no longer kept", seq),
                      "emplace.events.expired");
        return events;
      });
}

Result<std::vector<StoredVm>> PostgresStore::stored_vms(Deadline deadline) {
  return parts_->pool.read<std::vector<StoredVm>>(
      deadline, [](pqxx::work& transaction) -> Result<std::vector<StoredVm>> { return read_stored_vms(transaction); });
}

Result<std::vector<StartOrder>> PostgresStore::unfinished_starts(Deadline deadline) {
  return parts_->pool.read<std::vector<StartOrder>>(deadline,
                                                    [](pqxx::work& transaction) -> Result<std::vector<StartOrder>> {
                                                      std::vector<StartOrder> orders;
                                                      for (StoredClaim& stored : read_unfinished_starts(transaction))
                                                        orders.push_back(to_start(stored));
                                                      return orders;
                                                    });
}

Result<std::map<std::string, std::string>> PostgresStore::profiles(Deadline deadline) {
  using Profiles = std::map<std::string, std::string>;
  return parts_->pool.read<Profiles>(
      deadline, [](pqxx::work& transaction) -> Result<Profiles> { return read_profiles(transaction); });
}

Result<std::int64_t> PostgresStore::put_profile(const std::string& name, const std::string& json, Deadline deadline) {
  auto seq = parts_->pool.write<std::int64_t>(deadline, [name, json](pqxx::work& transaction) -> Result<std::int64_t> {
    if (json.empty() && !remove_profile(transaction, name))
      return fail(ErrorCode::kNotFound, "no profile " + json_text(name) + " is stored");
    if (!json.empty()) write_profile(transaction, name, json);
    const std::string payload = json.empty() ? removal_of(name) : json;
    return append_event(transaction, std::string(kProfileEvent), payload).last_seq;
  });
  parts_->bells.ring();
  return seq;
}

Result<std::int64_t> PostgresStore::reserve(std::vector<ReservedVm> reserved, Deadline deadline) {
  const std::int64_t now_us = parts_->options.now_us();
  auto seq = parts_->pool.write<std::int64_t>(
      deadline, [reserved = std::move(reserved), now_us](pqxx::work& transaction) -> Result<std::int64_t> {
        return write_reservations(transaction, reserved, now_us);
      });
  parts_->bells.ring();
  return seq;
}

Result<std::int64_t> PostgresStore::release(std::vector<Uuid> vms, Deadline deadline) {
  auto seq = parts_->pool.write<std::int64_t>(deadline,
                                              [vms = std::move(vms)](pqxx::work& transaction) -> Result<std::int64_t> {
                                                return remove_reservations(transaction, vms);
                                              });
  parts_->bells.ring();
  return seq;
}

DatabaseState PostgresStore::database() const {
  return {.full = parts_->health.state().full,
          .clock_ahead_us = parts_->clock_ahead_us,
          .rewinds = parts_->rewinds,
          .rewound_at_us = parts_->rewound_at_us};
}

StoreState PostgresStore::state() const {
  const Health::State health = parts_->health.state();
  const Committer::Counts counts = parts_->committer.counts();
  return {.connected = health.connected,
          .message = health.message,
          .down_since_us = health.down_since_us,
          .queued_claims = counts.queued,
          .committed_batches = counts.batches,
          .committed_claims = counts.claims};
}

Result<void> PostgresStore::note(const Uuid& claim, const std::string& failure, Deadline deadline) {
  return parts_
      ->write(
          [claim, failure](pqxx::work& transaction) -> Result<InventoryWritten> {
            InventoryWritten written;
            if (!note_claim(transaction, claim, failure)) return written;
            note_errors(transaction, {{claim, failure}});
            for (StoredClaim& stored : read_claims(transaction, {claim}))
              written.events.push_back(std::move(stored.vm));
            return written;
          },
          {}, deadline)
      .map([](const Written&) {});
}

Result<Operation> PostgresStore::operation(const Uuid& id, Deadline deadline) {
  return parts_->pool.read<Operation>(deadline, [id](pqxx::work& transaction) -> Result<Operation> {
    auto found = read_operation(transaction, id);
    if (found.empty()) return fail(ErrorCode::kNotFound, fmt::format("no operation {}", to_string(id)));
    return std::move(found.front());
  });
}

Result<std::vector<Operation>> PostgresStore::operations(const OperationFilter& filter, Deadline deadline) {
  return parts_->pool.read<std::vector<Operation>>(deadline,
                                                   [filter](pqxx::work& transaction) -> Result<std::vector<Operation>> {
                                                     return read_operations(transaction, filter);
                                                   });
}

Result<void> PostgresStore::begin(Operation operation, Deadline deadline) {
  return parts_->pool
      .write<bool>(
          deadline,
          [operation = std::move(operation), runner = parts_->runner](pqxx::work& transaction) -> Result<bool> {
            insert_operations(transaction, {operation}, runner);
            return true;
          })
      .map([](bool) {});
}

Result<std::int64_t> PostgresStore::end(const Uuid& id, const std::string& state, const std::string& error,
                                        Deadline deadline) {
  return parts_
      ->write(
          [id, state, error](pqxx::work& transaction) -> Result<InventoryWritten> {
            InventoryWritten written;
            const auto running = read_operation(transaction, id);
            if (running.empty() || running.front().state != "running") return written;
            end_operations(transaction, {{id, error}}, state);
            if (state != "failed") return written;
            for (VmRow& vm : put_failures(transaction, {{running.front().vm, error}}))
              written.events.push_back(std::move(vm));
            return written;
          },
          {}, deadline)
      .map([](const Written& written) { return written.event_seq; });
}

Result<void> PostgresStore::note_progress(const Uuid& id, double progress, Deadline deadline) {
  return parts_->note(deadline, [id, progress](pqxx::work& transaction) {
    emplace::note_progress(transaction, id, progress);
    return Result<void>();
  });
}

Result<std::vector<Operation>> PostgresStore::forsaken(Deadline deadline) {
  return parts_->pool.read<std::vector<Operation>>(
      deadline, [](pqxx::work& transaction) -> Result<std::vector<Operation>> { return read_forsaken(transaction); });
}

Result<std::int64_t> PostgresStore::host_seen(HostRow host, Deadline deadline) {
  return parts_
      ->write([host = std::move(host), new_uuid = parts_->options.new_uuid](
                  pqxx::work& transaction) { return write_host_seen(transaction, host, new_uuid); },
              {}, deadline)
      .map([](const Written& written) { return written.event_seq; });
}

Result<std::int64_t> PostgresStore::host_lost(const std::string& host, Deadline deadline) {
  return parts_
      ->write(
          [host](pqxx::work& transaction) -> Result<InventoryWritten> { return write_host_lost(transaction, host); },
          {}, deadline)
      .map([](const Written& written) { return written.event_seq; });
}

Result<std::int64_t> PostgresStore::vms_seen(VmReport report, Deadline deadline) {
  return parts_
      ->write([report = std::move(report)](
                  pqxx::work& transaction) -> Result<InventoryWritten> { return write_vms_seen(transaction, report); },
              {}, deadline)
      .map([](const Written& written) { return written.event_seq; });
}

}  // namespace emplace
