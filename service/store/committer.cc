#include "service/store/committer.h"

#include <algorithm>

#include "service/core/base/actor.h"
#include "service/core/base/failpoint.h"
#include "service/store/pooling.h"
#include "service/store/records.h"
#include "service/store/session_pool.h"
#include "service/store/sql.h"

namespace emplace {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostUnits = 128;
constexpr std::int64_t kMostAnswers = 1'000'000;
// A healthy PostgreSQL gives up a lock after three seconds (address.cc); one that says nothing for five is stuck.
constexpr auto kCommitStuckAfter = 5s;
constexpr auto kResolveFor = 30s;
constexpr int kMostTries = 10;
constexpr auto kTurnsAgainAfter = 5s;

// Replicas that commit at the same time wait for each other sooner or later: for hosts, at the latest for the number of
// their events. Who waits first of all waits with everything that arrives meanwhile, which matters, since a small batch
// costs nearly as much as a large one. This is for speed alone, so that a wait which takes long is given up.
constexpr sql::Statement kTakeTurn{
    "take_turn",
    "SELECT set_config('lock_timeout', '500ms', true), pg_advisory_xact_lock(727071616, hashtext(current_schema())),"
    " set_config('lock_timeout', usual, true) FROM (SELECT current_setting('lock_timeout') AS usual OFFSET 0) AS "
    "before"};

Error unknown_outcome() {
  return {ErrorCode::kUnknownOutcome, "the database did not say whether the claim was committed; ask for it by id",
          "emplace.store.unknown_outcome", 1};
}
Error answered_meanwhile() {
  return {ErrorCode::kConflict, "this Idempotency-Key was answered meanwhile; ask again",
          "emplace.idempotency.answered"};
}
Error no_answer() { return unavailable("no answer until the deadline"); }

// The database refused this act itself.
Error refused(const std::exception& error) {
  const auto* const broken = dynamic_cast<const pqxx::sql_error*>(&error);
  if (broken != nullptr && broken->sqlstate() == "23505")
    return {ErrorCode::kConflict, "the claim, or another one of its vm, exists already", "emplace.vm.claimed"};
  return to_error(error);
}

}  // namespace

Committer::Committer(const Address& address, Watch& watch, Health& health, std::function<void()> committed)
    : session_(address, Purpose::kClaims), watch_(watch), health_(health), committed_(std::move(committed)) {
  watch_.add(session_);
  thread_ = std::thread([this, name = "replica " + address.replica] {
    const Acting acting(name);  // for what nobody asked for
    serve();
  });
}

Committer::~Committer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  session_.cut();
  thread_.join();
  watch_.remove(session_);
}

Result<ClaimsTaken> Committer::run(ClaimAct act, Deadline deadline) {
  const auto unit = std::make_shared<Unit>();
  unit->act = std::move(act);
  unit->deadline = deadline;
  auto outcome = unit->outcome.get_future();
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return tl::unexpected(unavailable("the service is stopping"));
    if (const std::string why = health_.refused(); !why.empty()) return tl::unexpected(unavailable(why));
    queue_.push_back(unit);
  }
  changed_.notify_one();
  if (outcome.wait_until(deadline) == std::future_status::ready) return outcome.get();
  const std::lock_guard lock(mutex_);
  if (unit->stage == Stage::kDone) return outcome.get();
  unit->abandoned = true;
  return tl::unexpected(unit->stage == Stage::kCommitting ? unknown_outcome() : no_answer());
}

Committer::Counts Committer::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.queued = static_cast<std::int64_t>(queue_.size());
  return counts;
}

void Committer::set_answers(std::int64_t count) {
  const std::lock_guard lock(mutex_);
  answers_ = count;
}

bool Committer::may_remember() const {
  const std::lock_guard lock(mutex_);
  return answers_ < kMostAnswers;
}

bool Committer::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void Committer::serve() {
  for (Units units = gather(); !units.empty(); units = gather()) commit(std::move(units), true);
}

void Committer::take_waiting(Units& units) {
  for (; !queue_.empty() && units.size() < kMostUnits; queue_.pop_front()) {
    if (queue_.front()->abandoned) continue;
    queue_.front()->stage = Stage::kDeciding;
    units.push_back(std::move(queue_.front()));
  }
}

// Throws when another replica keeps the turn for long; then nobody asks for it for a while.
void Committer::take_turn(pqxx::work& transaction) {
  if (Clock::now() < turns_from_) return;
  turns_from_ = Clock::now() + kTurnsAgainAfter;
  sql::run(transaction, kTakeTurn);
  turns_from_ = {};
}

// Everything that waits, at most kMostUnits; nothing when stopping.
Committer::Units Committer::gather() {
  std::unique_lock lock(mutex_);
  Units units;
  while (units.empty()) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) {
      for (const auto& unit : queue_) {
        unit->stage = Stage::kDone;
        unit->outcome.set_value(tl::unexpected(unavailable("the service is stopping")));
      }
      queue_.clear();
      return {};
    }
    take_waiting(units);
  }
  return units;
}

void Committer::drop_abandoned(Units& units) {
  const std::lock_guard lock(mutex_);
  std::erase_if(units, [](const auto& unit) { return unit->abandoned; });
}

// Nobody may leave any more without kUnknownOutcome; false when somebody has left already.
bool Committer::enter_commit(Units& units) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || std::any_of(units.begin(), units.end(), [](const auto& unit) { return unit->abandoned; }))
    return false;
  for (const auto& unit : units) unit->stage = Stage::kCommitting;
  return true;
}

// False: some units are out, run the others.
bool Committer::attempt(Batch& batch) {
  Units& units = batch.units;
  session_.begin_anew_after(health_.refusals());
  pqxx::work transaction(session_.open(Clock::now() + kCommitStuckAfter));
  if (std::exchange(batch.open, false)) {
    take_turn(transaction);
    const std::size_t before = units.size();
    const std::lock_guard lock(mutex_);
    take_waiting(units);
    batch.all += units.size() - before;
  }
  std::vector<const ClaimAct*> acts;
  for (const auto& unit : units) acts.push_back(&unit->act);
  std::vector<std::size_t> answered;
  batch.done = run_claim_batch(transaction, acts, {.may_remember = may_remember()}, answered);
  if (!answered.empty()) {
    std::sort(answered.rbegin(), answered.rend());
    for (const std::size_t place : answered) {
      batch.answered.push_back(units[place]);
      units.erase(units.begin() + static_cast<std::ptrdiff_t>(place));
    }
    return false;
  }
  if (!enter_commit(units)) {
    drop_abandoned(units);
    return false;
  }
  if (batch.done.backend != 0) session_.check_backend(batch.done.backend);
  batch.transaction_id = batch.done.transaction_id;
  if (fail_at("claims.commit")) session_.cut();
  transaction.commit();
  if (fail_at("claims.committed")) throw pqxx::in_doubt_error("the connection was lost during the commit");
  return true;
}

// Who shares a key with a unit of the same batch is told so only when that one is committed, so that asking again finds
// its answer; when it was not, the other one has the key to itself.
void Committer::commit(Units units, bool open) {
  while (!units.empty()) {
    const std::size_t all = units.size();
    Batch batch{.units = std::move(units), .open = open, .all = all};
    if (commit_others(batch)) return finish_all(batch.answered, answered_meanwhile());
    units = std::move(batch.answered);
  }
}

// Whether all but `answered` were committed, for certain.
bool Committer::commit_others(Batch& batch) {
  Units& units = batch.units;
  for (int tries = 1; !units.empty(); ++tries) {
    if (stopping()) return give_up(units, unavailable("the service is stopping"));
    batch.transaction_id.clear();
    try {
      if (attempt(batch)) {
        session_.idle();
        health_.wrote();
        finish_all(units, batch.done);
        return units.size() + batch.answered.size() == batch.all;
      }
    } catch (const pqxx::in_doubt_error&) {
      session_.close();
      return resolve(units, batch.done, batch.transaction_id);
    } catch (const pqxx::broken_connection& error) {
      session_.close();
      if (!batch.transaction_id.empty()) return resolve(units, batch.done, batch.transaction_id);
      drop_abandoned(units);
      if (tries > 1) return give_up_for_now(units, error);
    } catch (const std::exception& error) {
      session_.idle();
      if (says_pooled(error)) return give_up_pooled(units);
      if (is_full(error)) health_.full(one_line(error.what()));
      if (may_succeed_again(error) && tries < kMostTries) {
        drop_abandoned(units);
        continue;
      }
      if (!batch.transaction_id.empty())
        return resolve(units, batch.done, batch.transaction_id);  // such as a shutdown during the commit
      return alone(units, error);
    }
  }
  session_.idle();
  return batch.answered.size() == batch.all;
}

bool Committer::give_up(const Units& units, const Error& why) {
  finish_all(units, why);
  return false;
}

// No connection, and no new one: nobody is kept waiting until there is.
bool Committer::give_up_for_now(const Units& units, const std::exception& error) {
  health_.down(error.what());
  return give_up(units, unavailable(error.what()));
}

bool Committer::give_up_pooled(const Units& units) {
  session_.close();
  health_.refuse(Pooled().what());
  return give_up(units, unavailable(Pooled().what()));
}

bool Committer::alone(const Units& units, const std::exception& error) {
  if (units.size() == 1) return give_up(units, refused(error));
  for (const auto& unit : units) commit({unit}, false);
  return false;
}

bool Committer::resolve(const Units& units, BatchDone& done, const std::string& transaction_id) {
  const auto committed =
      was_committed(session_, transaction_id, Clock::now() + kResolveFor, [this] { return stopping(); });
  if (!committed) return give_up(units, unknown_outcome());
  if (!*committed) return give_up(units, unavailable("the connection was lost before the commit"));
  finish_all(units, done);
  return true;
}

void Committer::finish(const std::shared_ptr<Unit>& unit, Result<ClaimsTaken> outcome) {
  const std::lock_guard lock(mutex_);
  unit->stage = Stage::kDone;
  unit->outcome.set_value(std::move(outcome));
}

void Committer::finish_all(const Units& units, const Error& error) {
  for (const auto& unit : units) finish(unit, tl::unexpected(error));
}

void Committer::finish_all(const Units& units, BatchDone& done) {
  {
    const std::lock_guard lock(mutex_);
    ++counts_.batches;
    counts_.claims += done.claims;
    answers_ += done.answers;
  }
  committed_();
  for (std::size_t i = 0; i < units.size(); ++i) finish(units[i], std::move(done.outcomes[i]));
}

}  // namespace emplace
