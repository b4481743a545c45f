#include "service/observe/reservations.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "service/core/scheduler.h"

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
  VmRow row = placed_row(picture, reservation.vm, reservation.host);
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

}  // namespace

ReservationBook::ReservationBook(Observer& observer, Store& store, std::function<std::int64_t()> now_us, Log log)
    : observer_(observer), store_(store), now_us_(std::move(now_us)), log_(std::move(log)) {
  thread_ = std::thread([this] { serve(); });
}

ReservationBook::~ReservationBook() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::unique_lock<std::mutex> ReservationBook::turn_to_decide(std::span<const Uuid> vms) {
  const Deadline deadline = std::chrono::steady_clock::now() + kSeenWithin;
  const auto all_seen = [&] { return std::ranges::none_of(vms, [&](const Uuid& vm) { return unseen_.contains(vm); }); };
  while (true) {
    std::unique_lock deciding(deciding_);
    std::unique_lock lock(mutex_);
    if (all_seen() || std::chrono::steady_clock::now() >= deadline) return deciding;
    deciding.unlock();
    seen_.wait_until(lock, deadline, all_seen);
  }
}

void ReservationBook::reserve(std::span<const Uuid> vms, std::uint32_t ttl_s, const Decide& decide) {
  const auto deciding = turn_to_decide(vms);
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
  for (const auto& [vm, reserved] : decided) {
    changes.push_back(reserved ? Change(reserved->row) : Change(VmRemoved{vm, vm}));
  }
  observer_.amend(changes);
  {
    const std::lock_guard lock(mutex_);
    for (auto& [vm, reserved] : decided) waiting_[vm] = std::move(reserved);
  }
  changed_.notify_one();
}

// What could not be written waits for the next try, unless it was decided anew or its time is up: then it ends here.
void ReservationBook::wait_again(Waiting waiting) {
  const std::int64_t now_us = now_us_();
  std::vector<Change> ended;
  const std::lock_guard lock(mutex_);
  for (auto& [vm, reserved] : waiting) {
    if (waiting_.contains(vm)) continue;
    if (reserved && reserved->expires_at_us <= now_us) {
      ended.push_back(VmRemoved{vm, vm});
    } else {
      waiting_.emplace(vm, std::move(reserved));
    }
  }
  observer_.amend(ended);
}

Result<std::int64_t> ReservationBook::write(const Waiting& waiting) {
  std::vector<ReservedVm> reserved;
  std::vector<Uuid> released;
  for (const auto& [vm, one] : waiting) {
    if (one) reserved.push_back(*one);
    if (!one) released.push_back(vm);
  }
  const Deadline deadline = std::chrono::steady_clock::now() + kWriteFor;
  Result<std::int64_t> done = 0;
  if (!released.empty()) done = store_.release(std::move(released), deadline);
  if (done && !reserved.empty()) done = store_.reserve(std::move(reserved), deadline);
  if (!done) log_("warn", fmt::format("event=reservations_not_written vms={} error=\"{}\"", waiting.size(), done.error().message));
  return done;
}

// Between two decisions: who is deciding may be about to take something's place.
ReservationBook::Waiting ReservationBook::take_waiting() {
  const std::lock_guard deciding(deciding_);
  const std::lock_guard lock(mutex_);
  for (const auto& [vm, one] : waiting_) unseen_.insert(vm);
  return std::exchange(waiting_, {});
}

void ReservationBook::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    lock.unlock();
    Waiting waiting = take_waiting();
    const auto written = write(waiting);
    if (written) observer_.wait_for(*written, std::chrono::steady_clock::now() + kSeenWithin);
    if (!written) wait_again(std::move(waiting));
    lock.lock();
    unseen_.clear();
    seen_.notify_all();
    if (!written) changed_.wait_for(lock, kTryAgainAfter, [this] { return stopping_; });
  }
}

}  // namespace emplace::observe
