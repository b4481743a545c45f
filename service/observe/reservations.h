// ReservationBook: the in-flight reservations of this replica. What is reserved is in the picture before the next
// decision that reserves, and goes to the store, and so to the other replicas, right after: nobody waits for that.
// Until it is back as an event, older events of the same vm do not undo it. While the store is away, reservations last
// here until their time is up.
//
// Threads: one of its own, which writes. reserve() may be called by any; one decides at a time, for no longer than the
// decision takes.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/change/change.h"
#include "service/core/doors/reservations.h"
#include "service/core/doors/store.h"
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

  void serve();
  void take_waiting();
  // The event_seq of what was written.
  Result<std::int64_t> write();
  void was_written(std::int64_t seq);
  void wait_again();
  std::optional<Change> newer(const Uuid& vm, std::int64_t seq);

  Observer& observer_;
  Store& store_;
  const std::function<std::int64_t()> now_us_;
  const Log log_;
  std::mutex deciding_;  // before mutex_
  std::mutex mutex_;     // guards what follows
  std::condition_variable changed_;
  Waiting waiting_;
  Waiting writing_;               // until it is back as events; changed by the writing thread alone
  std::int64_t written_seq_ = 0;  // of the last of them; greatest while that is not known
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace emplace::observe
