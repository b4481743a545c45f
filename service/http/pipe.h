// A Pipe is one stream as its two ends share it: writers on any thread, who leave bytes in it, and the worker that owns
// the connection, which takes them out when the bell rings.
//
// Threads: all of it from any, but for `connection`. Lifetime: shared by the connection and the Stream handle.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "service/http/message.h"

namespace emplace::http {

struct Connection;

class Pipe {
 public:
  enum class Written {
    kRing,    // the worker must be told
    kQueued,  // it has been told already
    kClosed,
  };

  // Queues bytes. If more than `limit` would wait for the client, the pipe is cut: it takes no more, and the worker
  // must be told. What finds nothing waiting always goes.
  Written write(Bytes bytes, std::size_t limit) {
    const std::lock_guard lock(mutex_);
    if (!open_) return Written::kClosed;
    if (unsent() > 0 && unsent() + bytes->size() > limit) {
      cut_ = true;
      open_ = false;
      return Written::kRing;
    }
    queued_ += bytes->size();
    queue_.push_back(std::move(bytes));
    return queue_.size() == 1 ? Written::kRing : Written::kQueued;
  }

  // What was queued since the last call.
  std::vector<Bytes> take() {
    const std::lock_guard lock(mutex_);
    queued_ = 0;
    return std::exchange(queue_, {});
  }

  // The worker says how much of what it took it has yet to send.
  void note_unsent(std::size_t bytes) { taken_ = bytes; }
  std::size_t unsent() const { return queued_ + taken_; }

  bool open() const { return open_; }
  bool cut() const { return cut_; }  // its client fell behind

  // Takes no more writes; the callback comes later, with over(). True for the first caller.
  bool shut() { return open_.exchange(false); }

  // The connection has gone: calls the callback, once.
  void over() {
    open_ = false;
    std::function<void()> then;
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
      queue_.clear();
      then = std::exchange(on_close_, nullptr);
    }
    if (then) then();
  }

  void on_close(std::function<void()> then) {
    {
      const std::lock_guard lock(mutex_);
      if (!over_) {
        on_close_ = std::move(then);
        return;
      }
    }
    then();
  }

  std::weak_ptr<Connection> connection;  // the streams' worker's own

 private:
  std::atomic<bool> open_ = true;
  std::atomic<bool> cut_ = false;
  std::atomic<std::size_t> queued_ = 0;  // in queue_
  std::atomic<std::size_t> taken_ = 0;
  std::mutex mutex_;  // guards what follows
  std::vector<Bytes> queue_;
  std::function<void()> on_close_;
  bool over_ = false;
};

}  // namespace emplace::http
