#include "service/hypervisor/deadlines.h"

namespace emplace {

Deadlines::Deadlines(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

Deadlines::~Deadlines() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Deadlines::Ticket Deadlines::at(Deadline when, std::function<void()> run) {
  const std::lock_guard lock(mutex_);
  const Ticket ticket{when, next_++};
  waiting_.emplace(ticket, std::move(run));
  changed_.notify_one();
  return ticket;
}

void Deadlines::forget(const Ticket& ticket) {
  std::function<void()> dropped;  // destroyed outside the lock: it may hold the last reference to something big
  const std::lock_guard lock(mutex_);
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end()) return;
  dropped = std::move(found->second);
  waiting_.erase(found);
}

void Deadlines::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (waiting_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const Deadline first = waiting_.begin()->first.first;
    if (std::chrono::steady_clock::now() < first) {
      changed_.wait_until(lock, first);
      continue;
    }
    auto run = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    changed_.notify_one();  // somebody else watches the next one while this runs
    lock.unlock();
    run();
    run = nullptr;
    lock.lock();
  }
}

}  // namespace emplace
