// Watch: memory that the process of a test shares with the runner. The test writes into it what it is about to call and
// when, so that the runner can say what a plugin was doing when it took the process with it, and end a call that does
// not return. At the end the findings travel the same way.
//
// Threads: enter() and leave() by one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cli/check/findings.h"
#include "service/core/base/result.h"

namespace emplace::check {

class Watch {
 public:
  static constexpr int kLongestCallS = 10;
  static constexpr std::size_t kBytes = 65536;

  static Result<Watch> create();         // the runner's
  static Result<Watch> inherit(int fd);  // the test's: the other end
  ~Watch();
  Watch(Watch&& other) noexcept;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  int fd() const { return fd_; }

  // The test: what is called now; it must return within kLongestCallS. Only what is short: it is done around each call.
  void enter(std::string_view what);
  void leave();
  void finish(const Findings& findings);
  // Where the name of a system call goes that ends the process.
  std::span<char> forbidden_room() const;

  // The runner.
  bool call_hangs() const;
  // The runner, once the process is over.
  std::string last_call() const;
  std::string forbidden_call() const;        // empty: it did not end for one
  std::optional<Findings> findings() const;  // nothing: the test did not come to its end

 private:
  struct Shared;
  Watch(int fd, Shared* shared) : fd_(fd), shared_(shared) {}
  static Result<Watch> map(int fd);

  int fd_;
  Shared* shared_;
};

}  // namespace emplace::check
