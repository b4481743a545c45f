#include "service/store/session_pool.h"

#include <fmt/format.h>

#include "service/core/base/actor.h"
#include "service/core/base/failpoint.h"
#include "service/store/leases.h"
#include "service/store/pooling.h"
#include "service/store/sql.h"

namespace emplace {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr sql::Statement kTransactionId{"transaction_id",
                                        "SELECT pg_current_xact_id_if_assigned()::text, pg_backend_pid()"};
constexpr auto kShortestWait = 250ms;  // before a connection is cut for a caller in a hurry
constexpr auto kResolveFor = 10s;

}  // namespace

std::string one_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

Error unavailable(std::string_view why) {
  return {ErrorCode::kUnavailable, fmt::format("the database does not answer: {}", one_line(why)),
          "emplace.store.unavailable", 1};
}

bool may_succeed_again(const std::exception& error) {
  if (dynamic_cast<const pqxx::statement_completion_unknown*>(&error) != nullptr) return false;
  if (dynamic_cast<const pqxx::transaction_rollback*>(&error) != nullptr) return true;
  const auto* const refused = dynamic_cast<const pqxx::sql_error*>(&error);
  return refused != nullptr && (refused->sqlstate().starts_with("40") || refused->sqlstate() == "55P03");
}

bool is_full(const std::exception& error) {
  const auto* const refused = dynamic_cast<const pqxx::sql_error*>(&error);
  return refused != nullptr && refused->sqlstate() == "53100";
}

Error to_error(const std::exception& error) {
  if (says_pooled(error)) return unavailable(Pooled().what());
  if (dynamic_cast<const pqxx::broken_connection*>(&error) != nullptr) return unavailable(error.what());
  if (may_succeed_again(error)) return unavailable(fmt::format("too much contention: {}", one_line(error.what())));
  const auto* const refused = dynamic_cast<const pqxx::sql_error*>(&error);
  if (refused == nullptr) return {ErrorCode::kInternal, one_line(error.what())};
  const std::string& state = refused->sqlstate();
  if (state.starts_with("22"))
    return {ErrorCode::kInvalid, fmt::format("the database can't store this: {}", one_line(error.what()))};
  if (state.starts_with("53") || state.starts_with("57")) return unavailable(error.what());
  return {ErrorCode::kInternal, fmt::format("{} (SQLSTATE {})", one_line(error.what()), state)};
}

SessionPool::SessionPool(const Address& address, std::size_t threads, Watch& watch, Health& health)
    : own_name_("replica " + address.replica), health_(health), watch_(watch) {
  for (std::size_t i = 0; i < threads; ++i) {
    sessions_.push_back(std::make_unique<Session>(address, Purpose::kWork));
    watch_.add(*sessions_.back());
    threads_.emplace_back([this, session = sessions_.back().get()] { serve(*session); });
  }
}

SessionPool::~SessionPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& session : sessions_) session->cut();
  for (auto& thread : threads_) thread.join();
  for (auto& session : sessions_) watch_.remove(*session);
}

Result<void> SessionPool::submit(Access access, Deadline deadline, Work work) {
  if (const std::string why = health_.refused(); !why.empty()) return tl::unexpected(unavailable(why));
  const auto job = std::make_shared<Job>();
  job->work = [work = std::move(work), who = Acting::who().empty() ? own_name_ : Acting::who(),
               leader =
                   access == Access::kWrite ? Leading::as() : std::nullopt](pqxx::work& transaction) -> Result<void> {
    if (leader && !leads(transaction, *leader)) return tl::unexpected(lease_lost(*leader));
    const Acting acting(who);
    return work(transaction);
  };
  job->access = access;
  job->deadline = deadline;
  auto answer = job->answer.get_future();
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(job);
  }
  changed_.notify_one();
  if (answer.wait_until(deadline) == std::future_status::ready) return answer.get();
  const std::lock_guard lock(job->mutex);
  if (job->stage == Stage::kDone) return answer.get();
  job->abandoned = true;
  if (job->stage == Stage::kCommitting)
    return fail(ErrorCode::kUnknownOutcome, "the database did not say whether the change was committed",
                "emplace.store.unknown_outcome", 1);
  return tl::unexpected(unavailable("no answer until the deadline"));
}

// Whether the caller still waits; if so the job is at that stage now.
bool SessionPool::enter(Job& job, Stage stage) {
  const std::lock_guard lock(job.mutex);
  if (job.abandoned) return false;
  job.stage = stage;
  return true;
}

bool SessionPool::stopping() {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void SessionPool::serve(Session& session) {
  while (true) {
    std::shared_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
      if (stopping_) {
        job->answer.set_value(tl::unexpected(unavailable("the service is stopping")));
        continue;
      }
    }
    if (!enter(*job, Stage::kRunning)) continue;
    auto result = perform(session, *job);
    session.idle();
    const std::lock_guard lock(job->mutex);
    job->stage = Stage::kDone;
    job->answer.set_value(std::move(result));
  }
}

Result<void> SessionPool::attempt(Session& session, Job& job, std::string& transaction_id) {
  session.begin_anew_after(health_.refusals());
  auto& connection = session.open(std::max(job.deadline, Clock::now() + kShortestWait));
  pqxx::work transaction(connection);
  if (auto result = job.work(transaction); !result) return result;
  if (job.access == Access::kRead) {
    health_.up();
    return {};
  }
  const auto row = sql::run(transaction, kTransactionId).front();
  session.check_backend(static_cast<int>(sql::i64(row[1])));
  transaction_id = sql::text(row[0]);
  if (!enter(job, Stage::kCommitting)) return tl::unexpected(unavailable("no answer until the deadline"));
  if (fail_at("write.commit")) session.cut();
  transaction.commit();
  if (fail_at("write.committed")) throw pqxx::in_doubt_error("the connection was lost during the commit");
  health_.up();
  return {};
}

// Never again on this session, nor on another one until it is known to be one backend's.
Error SessionPool::give_up_pooled(Session& session) {
  session.close();
  health_.refuse(Pooled().what());
  return unavailable(Pooled().what());
}

Result<void> SessionPool::perform(Session& session, Job& job) {
  for (int tries = 1;; ++tries) {
    std::string transaction_id;  // not empty: the commit may have been sent
    try {
      return attempt(session, job, transaction_id);
    } catch (const pqxx::in_doubt_error&) {
      session.close();
    } catch (const pqxx::broken_connection& error) {
      session.close();
      if (transaction_id.empty() && (tries == 2 || Clock::now() > job.deadline)) {
        health_.down(error.what());
        return tl::unexpected(unavailable(error.what()));
      }
    } catch (const std::exception& error) {
      if (says_pooled(error)) return tl::unexpected(give_up_pooled(session));
      if (is_full(error)) health_.full(one_line(error.what()));
      const bool again = may_succeed_again(error);
      if (again) transaction_id.clear();
      if (transaction_id.empty() && (!again || tries == 8 || Clock::now() > job.deadline))
        return tl::unexpected(to_error(error));
    }
    if (transaction_id.empty()) continue;
    const auto committed =
        was_committed(session, transaction_id, Clock::now() + kResolveFor, [this] { return stopping(); });
    if (!committed)
      return fail(ErrorCode::kUnknownOutcome, "the database did not say whether the change was committed",
                  "emplace.store.unknown_outcome", 1);
    if (*committed) return {};
    if (!enter(job, Stage::kRunning)) return tl::unexpected(unavailable("no answer until the deadline"));
  }
}

}  // namespace emplace
