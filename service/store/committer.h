// Committer: commits acts on claims of concurrent callers together, one transaction at a time (group commit): while one
// is being written to disk the next gather. A caller waits until its own deadline:
//
//   before the commit was sent   kUnavailable: nothing was taken; the act is dropped, or rolled back if it was begun
//   after it                     kUnknownOutcome: it may have been taken
//
// A connection that is lost around the commit is asked about on a new one, so that a committed act is not told as
// refused. An act that the database can't store fails alone: the batch is run again one by one. Replicas commit in
// turns; what arrives while one waits for its turn joins the batch.
//
// Threads: one of its own; run() may be called from any.
#pragma once

#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "service/store/claim_batch.h"
#include "service/store/health.h"
#include "service/store/session.h"

namespace emplace {

class Committer {
 public:
  struct Counts {
    std::int64_t queued = 0, batches = 0, claims = 0;
  };

  Committer(const Address& address, Watch& watch, Health& health, std::function<void()> committed);
  ~Committer();
  Committer(const Committer&) = delete;

  Result<ClaimsTaken> run(ClaimAct act, Deadline deadline);
  Counts counts() const;
  void set_answers(std::int64_t count);  // how many are remembered, as counted now
  bool may_remember() const;

 private:
  enum class Stage { kQueued, kDeciding, kCommitting, kDone };
  struct Unit {
    ClaimAct act;
    Deadline deadline;
    Stage stage = Stage::kQueued;  // this and the next: under mutex_
    bool abandoned = false;
    std::promise<Result<ClaimsTaken>> outcome;
  };
  using Units = std::vector<std::shared_ptr<Unit>>;
  struct Batch {
    Units units;
    bool open = false;    // takes in what arrives while it waits for its turn
    std::size_t all = 0;  // units that were ever in it
    Units answered = {};  // whose key somebody else used
    std::string transaction_id = {};
    BatchDone done = {};
  };

  bool stopping() const;
  void serve();
  Units gather();
  void take_waiting(Units& units);
  void take_turn(pqxx::work& transaction);
  void commit(Units units, bool open);
  bool commit_others(Batch& batch);
  bool attempt(Batch& batch);
  bool enter_commit(Units& units);
  void drop_abandoned(Units& units);
  bool give_up(const Units& units, const Error& why);
  bool give_up_for_now(const Units& units, const std::exception& error);
  bool give_up_pooled(const Units& units);
  bool alone(const Units& units, const std::exception& error);
  bool resolve(const Units& units, BatchDone& done, const std::string& transaction_id);
  void finish(const std::shared_ptr<Unit>& unit, Result<ClaimsTaken> outcome);
  void finish_all(const Units& units, const Error& error);
  void finish_all(const Units& units, BatchDone& done);

  Session session_;
  Watch& watch_;
  Health& health_;
  const std::function<void()> committed_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Unit>> queue_;
  Counts counts_;
  std::int64_t answers_ = 0;
  bool stopping_ = false;
  Deadline turns_from_{};  // the thread's own
  std::thread thread_;
};

}  // namespace emplace
