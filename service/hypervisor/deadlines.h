// Deadlines: runs a function at a time, on threads of its own, so that a caller gets its answer while a host's thread
// still sits inside a libvirt call. Several threads, because what runs here is mostly somebody's `done`, which may wait
// for a database: one that waits must not hold up the answers of other hosts.
//
// Threads: at() from any thread. The destructor joins; what was not yet due is dropped, never run.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "service/core/base/deadline.h"

namespace emplace {

class Deadlines {
 public:
  explicit Deadlines(unsigned threads = 4);
  ~Deadlines();
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

  using Ticket = std::pair<Deadline, std::uint64_t>;
  Ticket at(Deadline when, std::function<void()> run);
  void forget(const Ticket& ticket);  // frees it early; no harm when it has run

 private:
  void run();

  std::mutex mutex_;  // guards what follows but the threads
  std::condition_variable changed_;
  std::map<Ticket, std::function<void()>> waiting_;
  std::uint64_t next_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace emplace
