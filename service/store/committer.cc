#include "service/store/committer.h"

#include <algorithm>

#include "service/core/failpoint.h"
#include "service/store/pooling.h"
#include "service/store/records.h"
#include "service/store/session_pool.h"

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
  thread_ = std::thread([this] { serve(); });
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
  for (Units units = gather(); !units.empty(); units = gather()) commit(std::move(units));
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
    for (; !queue_.empty() && units.size() < kMostUnits; queue_.pop_front()) {
      if (queue_.front()->abandoned) continue;
      queue_.front()->stage = Stage::kDeciding;
      units.push_back(std::move(queue_.front()));
    }
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

// False: some units are out, run the others. `answered_units` gets those whose key somebody else used.
bool Committer::attempt(Units& units, Units& answered_units, std::string& transaction_id, BatchDone& done) {
  session_.begin_anew_after(health_.refusals());
  pqxx::work transaction(session_.open(Clock::now() + kCommitStuckAfter));
  std::vector<const ClaimAct*> acts;
  for (const auto& unit : units) acts.push_back(&unit->act);
  std::vector<std::size_t> answered;
  done = run_claim_batch(transaction, acts, {.may_remember = may_remember()}, answered);
  if (!answered.empty()) {
    std::sort(answered.rbegin(), answered.rend());
    for (const std::size_t place : answered) {
      answered_units.push_back(units[place]);
      units.erase(units.begin() + static_cast<std::ptrdiff_t>(place));
    }
    return false;
  }
  if (!enter_commit(units)) {
    drop_abandoned(units);
    return false;
  }
  if (done.backend != 0) session_.check_backend(done.backend);
  transaction_id = done.transaction_id;
  if (fail_at("claims.commit")) session_.cut();
  transaction.commit();
  if (fail_at("claims.committed")) throw pqxx::in_doubt_error("the connection was lost during the commit");
  return true;
}

// Who shares a key with a unit of the same batch is told so only when that one is committed, so that asking again finds
// its answer; when it was not, the other one has the key to itself.
void Committer::commit(Units units) {
  while (!units.empty()) {
    Units answered;
    if (commit_others(std::move(units), answered)) return finish_all(answered, answered_meanwhile());
    units = std::move(answered);
  }
}

// Whether all but `answered` were committed, for certain.
bool Committer::commit_others(Units units, Units& answered) {
  const std::size_t all = units.size();
  for (int tries = 1; !units.empty(); ++tries) {
    if (stopping()) return give_up(units, unavailable("the service is stopping"));
    std::string transaction_id;
    BatchDone done;
    try {
      if (attempt(units, answered, transaction_id, done)) {
        session_.idle();
        health_.wrote();
        finish_all(units, done);
        return units.size() + answered.size() == all;
      }
    } catch (const pqxx::in_doubt_error&) {
      session_.close();
      return resolve(units, done, transaction_id);
    } catch (const pqxx::broken_connection& error) {
      session_.close();
      if (!transaction_id.empty()) return resolve(units, done, transaction_id);
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
      if (!transaction_id.empty()) return resolve(units, done, transaction_id);  // such as a shutdown during the commit
      return alone(units, error);
    }
  }
  session_.idle();
  return answered.size() == all;
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
  for (const auto& unit : units) commit({unit});
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
