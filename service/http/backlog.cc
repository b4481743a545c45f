#include "service/http/backlog.h"

#include <algorithm>

namespace emplace::http {

void Backlog::Part::hold(std::size_t bytes, Time now) {
  const std::lock_guard lock(backlog_.mutex_);
  if (given_up_) return;
  if (bytes_ == 0) since_ = now;
  const bool grows = bytes > bytes_;
  backlog_.set(*this, bytes);
  if (grows) backlog_.make_room(now);
}

// A moment more than it has waited, so that of answers that came together the largest goes first.
double Backlog::Part::cost(Time now) const {
  constexpr std::chrono::duration<double> kMoment{0.001};
  return static_cast<double>(bytes_) * (now - since_ + kMoment).count();
}

std::size_t Backlog::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void Backlog::set(Part& part, std::size_t bytes) {
  if (part.bytes_ == 0 && bytes > 0) {
    part.place_ = waiting_.size();
    waiting_.push_back(&part);
  } else if (part.bytes_ > 0 && bytes == 0) {
    waiting_[part.place_] = waiting_.back();
    waiting_[part.place_]->place_ = part.place_;
    waiting_.pop_back();
  }
  bytes_ += bytes - part.bytes_;
  most_ = std::max(most_, bytes_);
  part.bytes_ = bytes;
}

bool Backlog::has_fallen() {
  constexpr std::size_t kMuch = 16 * 1024 * 1024;
  const std::lock_guard lock(mutex_);
  if (most_ < kMuch || bytes_ > most_ / 2) return false;
  most_ = bytes_;
  return true;
}

void Backlog::make_room(Time now) {
  while (bytes_ > limit_) {
    Part& costliest = **std::max_element(waiting_.begin(), waiting_.end(),
                                         [now](const Part* a, const Part* b) { return a->cost(now) < b->cost(now); });
    set(costliest, 0);
    costliest.given_up_ = true;
    costliest.give_up_();
  }
}

}  // namespace emplace::http
