// Reports: what the hypervisors tell without being asked. Whoever builds LibvirtHosts gives the functions; they turn
// the news into rows of the store.
//
// Threads: called on the threads of the hosts, several hosts at once, one call at a time per host. A call that waits
// holds up its own host only. None is called any more once LibvirtHosts has been destroyed.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "service/core/change/change.h"
#include "service/core/doors/sightings.h"

namespace emplace {

struct DomainEvent {
  Uuid id;
  std::string what;                     // "started", "stopped", "undefined", ...: the last of those that came together
  std::optional<DomainSeen> seen = {};  // how the domain is now; nothing: it is gone
};

struct Reports {
  // After each connection and before any other report of it. fresh_state: the domains of before are gone (test:///
  // state dies with its connection). identity: what the libvirtd says of itself; two hosts that are one say the same,
  // two that were cloned may; empty: it is like no other.
  std::function<void(const std::string& host, bool fresh_state, const std::string& identity)> connected =
      [](const auto&, bool, const auto&) {};
  // A connection failed or was lost, or its host does not answer; once per change of the reason.
  std::function<void(const std::string& host, const std::string& reason)> disconnected = [](const auto&, const auto&) {
  };
  // After connected, then every poll: before the host is looked at, and what was seen.
  std::function<void(const std::string& host)> looking = [](const auto&) {};
  std::function<void(const HostRow& host, const std::vector<std::string>& shared_filesystems)> inventory =
      [](const auto&, const auto&) {};
  std::function<void(const std::string& host, const std::vector<DomainSeen>& all)> domains = [](const auto&,
                                                                                                const auto&) {};
  // Soon after a lifecycle event.
  std::function<void(const std::string& host, const DomainEvent& event)> domain = [](const auto&, const auto&) {};
};

// Everything that leaves this room (reports and `done`s) passes the gate, so that nothing does after it was closed: a
// thread that hangs in libvirt may come back when its listeners are long gone.
class Gate {
 public:
  explicit Gate(Reports reports) : reports_(std::move(reports)) {}

  template <typename Call>
  void pass(Call call) {
    if (!enter()) return;
    call(reports_);
    leave();
  }
  // Waits for those that are passing. Not from within one of them.
  void close() {
    std::unique_lock lock(mutex_);
    open_ = false;
    left_.wait(lock, [this] { return passing_ == 0; });
  }

 private:
  bool enter() {
    const std::lock_guard lock(mutex_);
    if (open_) ++passing_;
    return open_;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    if (--passing_ == 0) left_.notify_all();
  }

  std::mutex mutex_;  // guards open_ and passing_; not held while a call passes, which may lead to another
  std::condition_variable left_;
  bool open_ = true;
  int passing_ = 0;
  const Reports reports_;
};

}  // namespace emplace
