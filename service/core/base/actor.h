// Acting: on whose behalf a thread works, in the words that an event keeps: "token ci", "hypervisor h1", "replica a".
// It goes with the thread, as a request's id goes with its log lines: no decision depends on it, and every call between
// the door where somebody came in and the store would only have to hand it on. Who leaves work to another thread takes
// who() along; the store does.
//
// Threads: each has its own. who() is that of the innermost Acting that is alive there; empty when there is none.
#pragma once

#include <string>
#include <utility>

namespace emplace {

class Acting {
 public:
  explicit Acting(std::string who) : before_(std::exchange(current(), std::move(who))) {}
  ~Acting() { current() = std::move(before_); }
  Acting(const Acting&) = delete;
  Acting& operator=(const Acting&) = delete;

  static const std::string& who() { return current(); }

 private:
  static std::string& current() {
    thread_local std::string text;
    return text;
  }

  std::string before_;
};

}  // namespace emplace
