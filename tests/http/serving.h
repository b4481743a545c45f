// What tests of the server share: a server on a free port, a handler that echoes, threads that answer later, waits.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "service/http/server.h"

namespace emplace::http {

// Threads that answer later, from outside the server's own.
class Pool {
 public:
  explicit Pool(int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
  }
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    more_.notify_all();
    for (auto& thread : threads_) thread.join();
  }
  void post(std::function<void()> work) {
    {
      const std::lock_guard lock(mutex_);
      work_.push_back(std::move(work));
    }
    more_.notify_one();
  }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      more_.wait(lock, [this] { return ended_ || !work_.empty(); });
      if (work_.empty()) return;
      const auto work = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      work();
    }
  }

  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::function<void()>> work_;
  bool ended_ = false;
  std::vector<std::thread> threads_;
};

// A flag that one thread raises and another waits for, at most 10 s.
class Flag {
 public:
  void raise() {
    const std::lock_guard lock(mutex_);
    raised_ = true;
    changed_.notify_all();
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(10'000), [this] { return raised_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool raised_ = false;
};

// The counters can only be watched.
template <typename F>
bool eventually(F condition) {
  for (int i = 0; i < 1'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

inline std::unique_ptr<Server> serve(Handler handler, const Limits& limits = {},
                                     const std::string& address = "127.0.0.1:0") {
  auto server = Server::start(address, limits, std::move(handler));
  EXPECT_TRUE(server) << (server ? "" : server.error().message);
  return std::move(*server);
}

inline void echo(const std::shared_ptr<const Request>& request, const Reply& reply) {
  reply.send({.body = request->target + " " + request->body, .content_type = "text/plain"});
}

inline const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace emplace::http
