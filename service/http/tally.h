// The Tally is what a server's threads count and watch together: every figure of Counters, the switch to draining, and
// the wait for the last connection.
//
// Threads: all of it from any.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "service/http/server.h"

namespace emplace::http {

class Tally {
 public:
  using Count = std::atomic<std::uint64_t>;

  Count connections = 0;
  Count sockets_now = 0;   // with those that are only being refused
  Count admitted_now = 0;  // without
  Count requests = 0;
  Count requests_now = 0;
  Count streams_now = 0;
  Count body_bytes_now = 0;
  Count answers_dropped = 0;
  Count answers_lost = 0;
  Count idle_closed = 0;
  Count slow_closed = 0;
  Count exceptions = 0;
  std::atomic<bool> draining = false;

  void refuse(int status) { ++refused_[static_cast<std::size_t>(status) % refused_.size()]; }

  void socket_closed() {
    const std::lock_guard lock(mutex_);
    if (--sockets_now == 0) none_left_.notify_all();
  }

  // Whether all sockets were closed within the time.
  bool wait_until_none(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return none_left_.wait_for(lock, time, [this] { return sockets_now == 0; });
  }

  Counters counters() const {
    Counters result;
    result.connections = connections;
    result.connections_now = admitted_now;
    result.requests = requests;
    result.requests_now = requests_now;
    result.streams_now = streams_now;
    result.body_bytes_now = body_bytes_now;
    result.answers_dropped = answers_dropped;
    result.answers_lost = answers_lost;
    result.idle_closed = idle_closed;
    result.slow_closed = slow_closed;
    result.exceptions = exceptions;
    for (std::size_t status = 0; status < refused_.size(); ++status) {
      if (const std::uint64_t count = refused_[status]) result.refused[static_cast<int>(status)] = count;
    }
    return result;
  }

 private:
  std::array<Count, 600> refused_ = {};  // by status
  std::mutex mutex_;
  std::condition_variable none_left_;
};

}  // namespace emplace::http
