// SecondThread: the one place where the program has a second thread, as that is what is tested. It is started before a
// process gives up the right to start any, and does what it is told when it is told.
//
//   (run -> wait)*
//
// Threads: run() and wait() by the first one.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace emplace::check {

class SecondThread {
 public:
  SecondThread() : thread_([this] { work(); }) { wait(); }
  ~SecondThread() {
    run({});
    thread_.join();
  }
  SecondThread(const SecondThread&) = delete;
  SecondThread& operator=(const SecondThread&) = delete;

  void run(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    task_ = std::move(task), idle_ = false;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return idle_; });
  }

 private:
  void work() {
    // The first memory that a thread asks for has the allocator count the processors: later it may not.
    first_memory_ = std::string(100, 'x');
    for (std::function<void()> task = [] {}; task; task = next()) task();
  }
  std::function<void()> next() {
    std::unique_lock lock(mutex_);
    idle_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !idle_; });
    return std::move(task_);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> task_;  // guarded by mutex_; empty: the end
  bool idle_ = false;           // guarded by mutex_
  std::string first_memory_;
  std::thread thread_;
};

}  // namespace emplace::check
