#include "service/rest/line_pool.h"

#include "service/core/base/actor.h"

namespace emplace::http {

LinePool::LinePool(std::size_t threads, std::size_t most_queued) : most_queued_(most_queued) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

LinePool::~LinePool() { stop(); }

void LinePool::stop() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

bool LinePool::submit(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (ending_ || jobs_.size() >= most_queued_) return false;
    jobs_.push_back([job = std::move(job), who = Acting::who()] {
      const Acting acting(who);
      job();
    });
  }
  ready_.notify_one();
  return true;
}

std::size_t LinePool::queued() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

std::size_t LinePool::busy() const {
  const std::lock_guard lock(mutex_);
  return busy_;
}

void LinePool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    ++busy_;
    lock.unlock();
    job();
    lock.lock();
    --busy_;
  }
}

}  // namespace emplace::http
