// WorkerProcess: one run of emplace-worker, from its start to its end. It is never started again: worker.h starts the
// next one. Born with the exchange, the annex, the service's arena and a copy of the library as its only descriptors.
//
//   start -> (write into room(), ask)* -> kill? -> wait_for_end -> ending
//
// Threads: ask() by one at a time; all else by any. The thread that starts it has to live as long as the process: the
// kernel ends a worker with the thread that started it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "service/core/base/result.h"
#include "service/core/picture/arena.h"
#include "service/plugins/exchange.h"

namespace emplace {

// What all workers have in common.
struct WorkerSettings {
  std::filesystem::path program;         // emplace-worker
  std::shared_ptr<Arena> pictures = {};  // of the service; null: every picture is copied for the workers
  std::uint32_t user = 0, group = 0;     // that workers of root become; 0: numbers that nobody else has
  std::uint32_t without = 0;             // bits of Confinement that are not tried, as on a kernel that lacks them
  std::int64_t start_timeout_ms = 5000;  // until it is loaded
  std::int64_t first_back_off_ms = 50;   // doubles with each run that did not answer anything
  std::int64_t longest_back_off_ms = 10'000;
};

class WorkerProcess {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  enum class Outcome { kAnswered, kLate, kOver };

  static Result<std::unique_ptr<WorkerProcess>> start(const WorkerSettings& settings, const Arena& annex,
                                                      int library_fd);
  ~WorkerProcess();  // kills it, and waits until it is gone
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  std::span<std::byte> room() const { return exchange_->room(); }
  // Puts the question that lies in the room. kOver: it ended before it answered; ending() says how.
  Outcome ask(Deadline deadline);
  // `why` takes the place of the signal in ending().
  void kill(const std::string& why);

  // Sleeps until it has ended, or `wake` (a descriptor) is readable: false.
  bool wait_for_end(int wake);
  // Until the end is reached: empty. In one line, what a person needs to know.
  std::string ending() const;
  int pid() const { return pid_; }

  // Identities of the pictures that it was shown. For the one that asks.
  std::set<std::uint64_t>& shown() { return shown_; }

 private:
  WorkerProcess(int pid, int pidfd, int output, std::unique_ptr<Exchange> exchange);
  bool has_ended();
  void reap();
  std::string describe(int code, int status) const;
  std::string last_words() const;

  const int pid_, pidfd_;
  const int output_;  // what it says while it loads
  const std::unique_ptr<Exchange> exchange_;
  std::atomic<bool> over_{false};
  mutable std::mutex mutex_;
  std::string killed_for_;  // guarded by mutex_
  std::string ending_;      // guarded by mutex_
  std::set<std::uint64_t> shown_;
};

// The one that lies beside the program that is running.
std::filesystem::path default_worker_program();

}  // namespace emplace
