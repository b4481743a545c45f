// SessionPool: threads with a connection each that run pieces of work against the database for callers who wait, but
// only until their deadline. A deadline that passes before the commit was sent means that nothing was changed
// (kUnavailable); after it, kUnknownOutcome. A connection lost around the commit is asked about on a new one.
//
// The work must own what it uses: its caller may be gone when it ends. It may run more than once (deadlock, lost
// connection), each time in a new transaction; only one of them is committed.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "service/store/health.h"
#include "service/store/session.h"

namespace emplace {

enum class Access { kRead, kWrite };

// Of an exception that a piece of work threw.
Error to_error(const std::exception& error);
Error unavailable(std::string_view why);
std::string one_line(std::string_view text);          // its first
bool is_full(const std::exception& error);            // the server's disk
bool may_succeed_again(const std::exception& error);  // deadlock, serialization failure

class SessionPool {
 public:
  using Work = std::function<Result<void>(pqxx::work&)>;

  SessionPool(const Address& address, std::size_t threads, Watch& watch, Health& health);
  ~SessionPool();
  SessionPool(const SessionPool&) = delete;

  template <typename T>
  Result<T> read(Deadline deadline, std::function<Result<T>(pqxx::work&)> work) {
    return run<T>(Access::kRead, deadline, std::move(work));
  }
  template <typename T>
  Result<T> write(Deadline deadline, std::function<Result<T>(pqxx::work&)> work) {
    return run<T>(Access::kWrite, deadline, std::move(work));
  }

 private:
  enum class Stage { kQueued, kRunning, kCommitting, kDone };
  struct Job {
    Work work;
    Access access;
    Deadline deadline;
    std::mutex mutex;
    Stage stage = Stage::kQueued;
    bool abandoned = false;
    std::promise<Result<void>> answer;
  };

  template <typename T>
  Result<T> run(Access access, Deadline deadline, std::function<Result<T>(pqxx::work&)> work) {
    const auto value = std::make_shared<std::optional<T>>();
    auto done = submit(access, deadline, [value, work = std::move(work)](pqxx::work& transaction) -> Result<void> {
      auto result = work(transaction);
      if (!result) return tl::unexpected(std::move(result.error()));
      *value = std::move(*result);
      return {};
    });
    if (!done) return tl::unexpected(std::move(done.error()));
    return std::move(**value);
  }

  Result<void> submit(Access access, Deadline deadline, Work work);
  bool stopping();
  void serve(Session& session);
  Result<void> perform(Session& session, Job& job);
  Result<void> attempt(Session& session, Job& job, std::string& transaction_id);
  Error give_up_pooled(Session& session);
  bool enter(Job& job, Stage stage);

  const std::string own_name_;  // in events: what nobody asked for is this replica's own doing
  Health& health_;
  Watch& watch_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace emplace
