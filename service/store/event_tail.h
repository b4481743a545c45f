// EventTail: calls somebody with every event after a given one, each once and in order, as they are committed by any
// replica. It listens for NOTIFY, which tells up to which event there are (what a replica committed itself it has read
// by then), is rung at once by commits of this process, and looks every second anyway. What others commit in quick
// succession is read together, some milliseconds later. A lost connection is made again with back-off and goes on after
// the last event that was delivered. Where that can't be, since the next ones are beyond retention or the database is
// one that never had the last one (a replica of it that took over without the newest commits, a restored copy), the
// state must be loaded anew.
//
// Threads: one of its own, on which both functions are called; they must not destroy the tail.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <pqxx/pqxx>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/doors/store.h"
#include "service/store/log.h"

namespace emplace {

struct Address;
class Session;
class Watch;

// Wakes every tail of this process.
class Doorbells {
 public:
  Doorbells() = default;
  ~Doorbells();
  Doorbells(const Doorbells&) = delete;
  Doorbells& operator=(const Doorbells&) = delete;
  int add();  // an eventfd
  void remove(int bell);
  void ring();

 private:
  std::mutex mutex_;
  std::vector<int> bells_;
};

class EventTail {
 public:
  using Deliver = std::function<void(std::span<const Event>)>;
  enum class Loss { kTrimmed, kRewound };
  // Loads the state anew and returns the seq of the last event in it, after which the tail goes on. Nothing: it could
  // not; it is called again soon.
  using Lost = std::function<std::optional<std::int64_t>(Loss)>;

  EventTail(const Address& address, std::int64_t after, Deliver deliver, Lost lost, Watch& watch, Doorbells& bells,
            Log log);
  ~EventTail();
  EventTail(const EventTail&) = delete;
  EventTail& operator=(const EventTail&) = delete;

 private:
  void run();
  void follow();
  bool deliver_new();
  std::vector<Event> read_new(pqxx::transaction_base& transaction, std::optional<Loss>& loss);
  bool start_anew(Loss loss);
  bool wait(int socket, int timeout_ms);
  void wait_until(Deadline time);

  std::int64_t last_;
  std::optional<Event> known_;  // the event `last_`, once it was read
  Deadline check_at_{};         // that the session is still the one that listens
  const Deliver deliver_;
  const Lost lost_;
  Watch& watch_;
  Doorbells& bells_;
  const Log log_;
  std::unique_ptr<Session> session_;
  int bell_;
  std::atomic<bool> stopping_{false};
  std::promise<void> ended_;
  std::thread thread_;
};

}  // namespace emplace
