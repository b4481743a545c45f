// Worker: keeps one plugin running in a process of its own. Its thread starts the process, loads the plugin there,
// waits for its end, and starts the next one after a back-off; nobody who has a request waits for any of that. The
// process is used by whoever got it from process(), one at a time.
//
//   start -> (process)* -> stop
//
// Threads: any. `started` (see Order) is called by the worker's own thread, which alone may use a process that nobody
// else gets yet.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "service/plugins/loading.h"
#include "service/plugins/worker_process.h"

namespace emplace {

class Worker {
 public:
  enum class State { kStarting, kRunning, kRefused, kStopped };
  struct Order {
    WorkerSettings settings;
    LoadOrder load;
    std::shared_ptr<Arena> annex;  // for pictures of other arenas
  };
  struct Status {
    State state = State::kStarting;
    std::uint64_t restarts = 0;
    std::string last_error = {};    // how the last process ended, or why it could not be started
    std::uint32_t confinement = 0;  // bits of Confinement (questions.h)
  };

  explicit Worker(Order order);
  ~Worker();  // stop()
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Starts the thread; returns when the first process is loaded or was refused: then it is tried again and again.
  // `started` runs after each start, before others get the process.
  void start(std::function<void()> started);
  void stop();

  // kUnavailable with one line that says why: it is being started again, it can't be started.
  Result<std::shared_ptr<WorkerProcess>> process() const;
  // The process did its work: the next back-off is short.
  void worked();
  // It gave no answer, or is over: nobody gets it any more.
  void lost(const WorkerProcess& process, const std::string& why);
  Status status() const;
  Arena& annex() const { return *order_.annex; }
  const Arena* pictures() const { return order_.settings.pictures.get(); }

 private:
  void run();
  Result<std::shared_ptr<WorkerProcess>> start_process();
  bool wait_back_off();
  void set(State state, std::shared_ptr<WorkerProcess> process, const std::string& error);

  const Order order_;
  const int wake_;  // an eventfd: readable when the thread should look again
  std::function<void()> started_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Status status_;                           // guarded by mutex_
  std::shared_ptr<WorkerProcess> process_;  // guarded by mutex_
  bool tried_ = false, stopping_ = false;   // guarded by mutex_
  int failures_ = 0;                        // in a row; guarded by mutex_
  std::atomic<std::thread::id> own_thread_{};
  std::thread thread_;
};

}  // namespace emplace
