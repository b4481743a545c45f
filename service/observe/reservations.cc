#include "service/observe/reservations.h"

#include <fmt/format.h>

#include <chrono>
#include <limits>

#include "service/core/act/scheduler.h"
#include "service/core/base/shown_text.h"

namespace emplace::observe {
namespace {

using namespace std::chrono_literals;

constexpr auto kWriteFor = 5s;
constexpr auto kTryAgainAfter = 1s;
constexpr auto kSeenWithin = 1s;  // mostly a few ms; the end of waiting for events that do not come

bool has_reserved(const Picture& picture, const Uuid& vm) { return picture.find_claim(vm, vm) != kNoRow; }

bool is_on(const Picture& picture, const Uuid& vm, const std::string& host) {
  const std::uint32_t row = picture.find_vm(vm);
  const auto place = row == kNoRow ? std::nullopt : picture[vms::host].get(row);
  return place && picture[hosts::name][*place] == host;
}

VmRow reserved_row(const Picture& picture, const Reservation& reservation) {
  VmRow row = placed_row(picture, reservation.vm, reservation.host, reservation.takes);
  row.claim = row.id;
  if (const std::uint32_t host = picture.find_host(reservation.host); host != kNoRow)
    row.source = host_row(picture, host).source;
  return row;
}

std::shared_ptr<const Picture> without(const std::shared_ptr<const Picture>& picture, std::span<const Uuid> vms) {
  std::vector<Uuid> reserved;
  for (const Uuid& vm : vms) {
    if (has_reserved(*picture, vm)) reserved.push_back(vm);
  }
  if (reserved.empty()) return picture;
  PictureBuilder builder(picture);
  for (const Uuid& vm : reserved) apply(builder, VmRemoved{vm, vm});
  return builder.finish(picture->version(), picture->made_at_us());
}

// Nothing: released.
Change change_of(const Uuid& vm, const std::optional<ReservedVm>& reserved) {
  return reserved ? Change(reserved->row) : Change(VmRemoved{vm, vm});
}

}  // namespace

ReservationBook::ReservationBook(Observer& observer, Store& store, std::function<std::int64_t()> now_us, Log log)
    : observer_(observer), store_(store), now_us_(std::move(now_us)), log_(std::move(log)) {
  observer_.heed([this](const Uuid& vm, std::int64_t seq) { return newer(vm, seq); });
  thread_ = std::thread([this] { serve(); });
}

ReservationBook::~ReservationBook() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  observer_.heed({});
}

std::optional<Change> ReservationBook::newer(const Uuid& vm, std::int64_t seq) {
  const std::lock_guard lock(mutex_);
  auto found = waiting_.find(vm);
  if (found == waiting_.end()) {
    found = writing_.find(vm);
    if (found == writing_.end() || seq >= written_seq_) return std::nullopt;  // its own event, or a later one
  }
  const auto& reserved = found->second;
  // The store ends a reservation whose host is gone; its event is right.
  if (reserved && observer_.latest()->find_host(reserved->row.host) == kNoRow) return std::nullopt;
  return change_of(vm, reserved);
}

void ReservationBook::reserve(std::span<const Uuid> vms, std::uint32_t ttl_s, const Decide& decide) {
  const std::lock_guard deciding(deciding_);
  const auto latest = observer_.latest();
  const auto picture = without(latest, vms);
  const std::int64_t expires_at_us = now_us_() + std::int64_t{ttl_s} * 1'000'000;
  Waiting decided;
  for (const Reservation& one : decide(picture)) {
    if (one.vm.id.is_zero() || is_on(*picture, one.vm.id, one.host)) continue;
    decided[one.vm.id] = ReservedVm{reserved_row(*picture, one), expires_at_us};
  }
  for (const Uuid& vm : vms) {
    if (has_reserved(*latest, vm)) decided.try_emplace(vm, std::nullopt);
  }
  if (decided.empty()) return;
  std::vector<Change> changes;
  for (const auto& [vm, reserved] : decided) changes.push_back(change_of(vm, reserved));
  {
    const std::lock_guard lock(mutex_);
    for (auto& [vm, reserved] : decided) waiting_[vm] = std::move(reserved);
  }
  // Only now: from here on no older event undoes it.
  observer_.amend(changes);
  changed_.notify_one();
}

// What could not be written waits for the next try, unless it was decided anew or its time is up: then it ends here.
void ReservationBook::wait_again() {
  const std::int64_t now_us = now_us_();
  std::vector<Change> ended;
  const std::lock_guard deciding(deciding_);
  {
    const std::lock_guard lock(mutex_);
    for (auto& [vm, reserved] : writing_) {
      if (waiting_.contains(vm)) continue;
      if (reserved && reserved->expires_at_us <= now_us) {
        ended.push_back(VmRemoved{vm, vm});
      } else {
        waiting_.emplace(vm, std::move(reserved));
      }
    }
    writing_.clear();
  }
  observer_.amend(ended);
}

Result<std::int64_t> ReservationBook::write() {
  std::vector<ReservedVm> reserved;
  std::vector<Uuid> released;
  for (const auto& [vm, one] : writing_) {
    if (one) reserved.push_back(*one);
    if (!one) released.push_back(vm);
  }
  const Deadline deadline = std::chrono::steady_clock::now() + kWriteFor;
  Result<std::int64_t> done = 0;
  if (!released.empty()) done = store_.release(std::move(released), deadline);
  if (done && !reserved.empty()) done = store_.reserve(std::move(reserved), deadline);
  if (!done)
    log_("warn", fmt::format("event=reservations_not_written vms={} error={}", writing_.size(),
                             log_text(done.error().message)));
  return done;
}

// Between two decisions, so that none is written, and seen, before it is in the picture.
void ReservationBook::take_waiting() {
  const std::lock_guard deciding(deciding_);
  const std::lock_guard lock(mutex_);
  writing_ = std::exchange(waiting_, {});
  written_seq_ = std::numeric_limits<std::int64_t>::max();
}

void ReservationBook::was_written(std::int64_t seq) {
  {
    const std::lock_guard lock(mutex_);
    written_seq_ = seq;
  }
  observer_.wait_for(seq, std::chrono::steady_clock::now() + kSeenWithin);
  const std::lock_guard lock(mutex_);
  writing_.clear();
}

void ReservationBook::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    lock.unlock();
    take_waiting();
    const auto seq = write();
    if (seq) was_written(*seq);
    if (!seq) wait_again();
    lock.lock();
    if (!seq) changed_.wait_for(lock, kTryAgainAfter, [this] { return stopping_; });
  }
}

}  // namespace emplace::observe
