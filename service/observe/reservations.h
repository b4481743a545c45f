// ReservationBook: the in-flight reservations of this replica. What is reserved is in the picture before the next
// decision that reserves, and goes to the store, and so to the other replicas, right after: nobody waits for that but
// who asks again for the same vm meanwhile, or the event of the first answer would undo the second. While the store is
// away, reservations last here until their time is up.
//
// Threads: one of its own, which writes. reserve() may be called by any; one decides at a time, for no longer than the
// decision takes.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "service/core/doors.h"
#include "service/observe/observer.h"

namespace emplace::observe {

class ReservationBook final : public Reservations {
 public:
  using Log = std::function<void(std::string_view level, std::string_view line)>;

  ReservationBook(Observer& observer, Store& store, std::function<std::int64_t()> now_us, Log log);
  ~ReservationBook() override;
  ReservationBook(const ReservationBook&) = delete;

  void reserve(std::span<const Uuid> vms, std::uint32_t ttl_s, const Decide& decide) override;

 private:
  // Nothing: what was reserved for this vm is to be released.
  using Waiting = std::map<Uuid, std::optional<ReservedVm>>;

  std::unique_lock<std::mutex> turn_to_decide(std::span<const Uuid> vms);
  Waiting take_waiting();
  void serve();
  // The event_seq of what was written.
  Result<std::int64_t> write(const Waiting& waiting);
  void wait_again(Waiting waiting);

  Observer& observer_;
  Store& store_;
  const std::function<std::int64_t()> now_us_;
  const Log log_;
  std::mutex deciding_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Waiting waiting_;
  std::condition_variable seen_;
  std::set<Uuid> unseen_;  // what is being written of these, or was just now, is yet to come back as events
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace emplace::observe
