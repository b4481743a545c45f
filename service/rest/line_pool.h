// LinePool: the threads that may wait. HTTP workers never do; whatever waits for the store or a hypervisor runs here as
// plain blocking code, and answers through its Reply. The queue is bounded: a full one refuses at once (503 to the
// client), because a request that waits longer than its client does nobody any good.
//
// Threads: its own, started by the constructor; stop() or the destructor finishes what is queued and joins them.
// submit() from any, stop() from any but its own.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace emplace::http {

class LinePool {
 public:
  explicit LinePool(std::size_t threads = 64, std::size_t most_queued = 1024);
  ~LinePool();
  LinePool(const LinePool&) = delete;
  LinePool& operator=(const LinePool&) = delete;

  // False when the queue is full; then the job is not kept. A job must not throw.
  bool submit(std::function<void()> job);
  void stop();  // afterwards submit() refuses; idempotent
  std::size_t queued() const;
  std::size_t busy() const;
  std::size_t size() const { return threads_.size(); }

 private:
  void work();

  const std::size_t most_queued_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable ready_;
  std::deque<std::function<void()>> jobs_;
  std::size_t busy_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace emplace::http
