// Exchange: the memory in which the service and one worker talk: a question, its answer, and two futexes that are the
// doorbells. Both sides map it writable, so the service trusts nothing in it: it knows itself where an answer has to
// lie and how long it can be, and copies before it looks.
//
//   service: write into room() -> ask() -> answered()?           worker: wait_for_question() -> read room() -> answer()
//
// The memory is a memfd of fixed size (sealed: the worker can't cut it off under the service), sparse, so that its size
// costs nothing; there is one per worker process, so that a dying one can't talk to the next one's service.
//
// Threads: one question at a time on the side of the service; interrupt() may come from any other thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "service/core/base/result.h"

namespace emplace {

class Exchange {
 public:
  static constexpr std::uint64_t kBytes = std::uint64_t{512} << 20;

  static Result<std::unique_ptr<Exchange>> create();
  // In the worker; the descriptor may be closed after it.
  static Result<std::unique_ptr<Exchange>> map(int fd);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  int fd() const { return fd_; }
  std::span<std::byte> room() const { return {base_ + kControlBytes, kBytes - kControlBytes}; }

  // ---- the service's side
  void ask();
  // Whether the answer to the last ask() is there. Sleeps until the time is over, the answer or interrupt() comes; may
  // also return early for no reason.
  bool answered(std::chrono::microseconds patience);
  // No answer will come any more: wakes answered(), which does not wait again.
  void interrupt();
  // The name of the system call that ended the worker, if that was its end; whatever the worker wrote there.
  std::string forbidden_call() const;

  // ---- the worker's side
  void wait_for_question();
  void answer();
  std::span<char> forbidden_room() const { return control().forbidden_call; }

 private:
  static constexpr std::size_t kControlBytes = 4096;
  // On cache lines of their own: each side spins on the other's.
  struct Control {
    alignas(64) std::atomic<std::uint32_t> question;
    alignas(64) std::atomic<std::uint32_t> answer;
    alignas(64) std::atomic<std::uint32_t> sleeping_service;  // only then a wake-up is worth a system call
    alignas(64) std::atomic<std::uint32_t> sleeping_worker;
    char forbidden_call[32];
  };
  Exchange(int fd, std::byte* base) : fd_(fd), base_(base) {}
  static Result<std::byte*> map_memory(int fd);
  Control& control() const { return *reinterpret_cast<Control*>(base_); }

  const int fd_;
  std::byte* const base_;
  std::atomic<bool> interrupted_{false};
  std::uint32_t asked_ = 0;  // by this side; the shared word may be anything
  std::uint32_t seen_ = 0;   // the worker's last question
};

}  // namespace emplace
