// An Acceptor listens on an address and hands over each accepted socket (non-blocking, close-on-exec, without Nagle).
//
// When the process runs out of descriptors it closes a spare one, accepts with it and closes that connection at once:
// the client sees an end instead of a hang, and the listening socket doesn't stay readable for ever, which would make
// the loop spin.
//
// Order: listen, start, stop. Threads: start makes the one that accepts and calls `take` on it; stop ends it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "service/core/base/result.h"

namespace emplace::http {

class Acceptor {
 public:
  // Whether it is an address at all; kInvalid as in listen().
  static Result<void> check(const std::string& address);
  // Addresses and errors as in Server::start.
  static Result<std::unique_ptr<Acceptor>> listen(const std::string& address);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  void start(std::function<void(int)> take);

  // Accepts what already waits, then stops listening.
  void stop();

  int port() const { return port_; }
  const std::string& url() const { return url_; }
  std::uint64_t failures() const { return failures_; }

 private:
  Acceptor(int listener, std::string url, int port, std::string unix_path);
  void run(const std::function<void(int)>& take);
  void accept_waiting(const std::function<void(int)>& take);
  bool shed();

  int listener_;
  const std::string url_;
  const int port_;
  const std::string unix_path_;
  int stop_signal_;  // eventfd
  int spare_;
  std::atomic<std::uint64_t> failures_ = 0;
  std::thread thread_;
};

}  // namespace emplace::http
