// Session: one connection to PostgreSQL, used by one thread, that another thread can cut off. A stopped PostgreSQL
// never answers, whatever its timeouts say; so before each piece of work the thread says until when it expects to be
// done, and the Watch shuts the socket down when that has passed: the thread's call then fails with
// pqxx::broken_connection.
//
// A session never reconnects by itself in the middle of something: open() does, at the start of a piece of work, and
// says again what its statements need (address.h).
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <thread>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/store/address.h"

namespace emplace {

class Session {
 public:
  Session(Address address, Purpose purpose);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Connects when it is not connected (at most two seconds). Throws pqxx::broken_connection.
  pqxx::connection& open(Deadline answer_by);
  void close();
  // Closes what was opened when there had been fewer refusals (Health).
  void begin_anew_after(int refusals);
  void idle();  // no answer is expected
  // The backend that answered when we connected, and whether it is still the one; throws Pooled when not.
  int backend() const { return backend_; }
  int check_backend(pqxx::transaction_base& transaction) const;
  void check_backend(int now) const;

  // From any thread.
  void cut();
  void cut_if_overdue(Deadline now);

 private:
  void connect(Deadline answer_by);

  const Address address_;
  const Purpose purpose_;
  std::unique_ptr<pqxx::connection> open_;
  std::uint64_t opened_ = 0;  // how often this connection was
  int backend_ = 0;
  int refusals_ = 0;
  std::mutex mutex_;  // of the two below
  int socket_ = -1;   // our own duplicate, so that it can't be closed under us
  std::optional<Deadline> answer_by_;
};

// Cuts sessions whose answer is overdue; one thread whose one job that is.
class Watch {
 public:
  Watch();
  ~Watch();
  void add(Session& session);
  void remove(Session& session);

 private:
  void run();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Session*> sessions_;
  bool stopping_ = false;
  std::thread thread_;
};

// A session under a watch, for as long as this lives.
class Watched {
 public:
  Watched(Watch& watch, Session& session) : watch_(watch), session_(session) { watch_.add(session_); }
  ~Watched() { watch_.remove(session_); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

 private:
  Watch& watch_;
  Session& session_;
};

// Whether a transaction whose commit got no answer was committed; nothing when that could not be learned until the
// deadline, or until `stopping`. A backend that still holds it is ended first, so that the answer can't change
// afterwards.
std::optional<bool> was_committed(Session& session, const std::string& transaction_id, Deadline deadline,
                                  const std::function<bool()>& stopping);

}  // namespace emplace
