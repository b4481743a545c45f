// A Pipe is one stream as its two ends share it: writers on any thread, and the worker that owns the connection.
//
// Threads: all of it from any. Lifetime: shared by the connection and the Stream handle.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>

namespace emplace::http {

class Pipe {
 public:
  enum class Room { kEnough, kTooMuch, kClosed };

  // Counts bytes that a writer is about to queue for the client. kTooMuch closes the pipe, and is said once.
  Room reserve(std::size_t bytes, std::size_t limit) {
    if (!open_) return Room::kClosed;
    if (unsent_.fetch_add(bytes) + bytes <= limit) return Room::kEnough;
    return shut() ? Room::kTooMuch : Room::kClosed;
  }

  // Counts bytes that the worker itself has queued.
  void queued(std::size_t bytes) { unsent_.fetch_add(bytes); }

  void sent(std::size_t bytes) { unsent_.fetch_sub(bytes); }

  bool open() const { return open_; }

  // Takes no more writes; the callback comes later, with over(). True for the first caller.
  bool shut() { return open_.exchange(false); }

  // The connection has gone: calls the callback, once.
  void over() {
    open_ = false;
    std::function<void()> then;
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
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

 private:
  std::atomic<bool> open_ = true;
  std::atomic<std::size_t> unsent_ = 0;
  std::mutex mutex_;
  std::function<void()> on_close_;
  bool over_ = false;
};

}  // namespace emplace::http
