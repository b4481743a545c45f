// Host: one configured libvirt host. It keeps one connection on one worker thread, with a queue of acts in front of it,
// looks at inventory and domains every poll, and follows the lifecycle events.
//
// A libvirt call can't be interrupted. So each act is answered by its own deadline from another thread, whoever sits
// where; and a worker whose call takes longer than it may is retired: it keeps its connection, finishes some day, sees
// that it was retired, touches nothing and leaves. A new worker takes its place after a pause, with a connection of its
// own. At most kMostHung workers hang per host; then the next one starts when one of them comes back. Hosts of the test
// driver are never retired: their state would be gone with the connection.
//
// While a host is known not to be reachable, acts are answered at once with kUnavailable; during an attempt to connect
// they wait.
//
// Threads: all methods from any thread. Workers are detached and hold the Host; after stop() nothing is reported or
// answered.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/doors/hypervisors.h"
#include "service/hypervisor/deadlines.h"
#include "service/hypervisor/host_config.h"
#include "service/hypervisor/reports.h"

namespace emplace {

struct HostSession;

struct HostStatus {
  std::string name, uri;
  bool connected = false;
  std::int64_t since_us = 0;    // of `connected`
  std::string hypervisor = {};  // "QEMU 7.2.22, libvirt 9.0.0"; empty before the first connection
  std::string last_error = {};  // why it is not connected, or what failed last while it was
  int hung_calls = 0;           // libvirt calls that were given up and have not returned
};

// One thing to be done on a connection, and who waits for it.
class Act {
 public:
  using Work = std::function<Result<void>(HostSession&, const Act&)>;
  Act(std::string what, Deadline deadline, Work work, Done done)
      : what_(std::move(what)), deadline_(deadline), work_(std::move(work)), done_(std::move(done)) {}

  const std::string& what() const { return what_; }
  Deadline deadline() const { return deadline_; }
  bool answered() const { return answered_; }
  Result<void> work(HostSession& session) { return work_(session, *this); }
  // The first answer counts; later ones are dropped.
  void answer(Gate& gate, const Result<void>& result) {
    if (!answered_.exchange(true)) gate.pass([&](const Reports&) { done_(result); });
  }

  Deadlines::Ticket ticket = {};  // of its deadline; written before it is queued

 private:
  const std::string what_;  // "start of vm web-1"
  const Deadline deadline_;
  const Work work_;
  const Done done_;
  std::atomic<bool> answered_{false};
};

class Host : public std::enable_shared_from_this<Host> {
 public:
  static constexpr int kMostHung = 3;

  Host(HostConfig config, std::shared_ptr<const HypervisorOptions> options, std::shared_ptr<Gate> gate,
       Deadlines& deadlines);

  const HostConfig& config() const { return config_; }
  HostStatus status() const;

  void begin();
  void submit(std::shared_ptr<Act> act);
  // Answers what waits with kUnavailable and tells the workers to leave; then joined() waits for those that don't hang.
  void stop();
  void wait_stopped(Deadline deadline);

  // libvirt's callbacks, on the event loop's thread; they only leave a note for the worker.
  void note_domain(std::uint64_t worker, const Uuid& id, std::string what);
  void note_lost(std::uint64_t worker, std::string reason);

 private:
  using Lock = std::unique_lock<std::mutex>;

  void start_worker(const Lock& held);
  void run(std::uint64_t worker);
  std::optional<HostSession> connect(std::uint64_t worker);
  void serve(std::uint64_t worker, HostSession& session);
  bool serve_one(std::uint64_t worker, HostSession& session);
  bool look(std::uint64_t worker, HostSession& session);
  bool follow_up(std::uint64_t worker, HostSession& session, const std::map<Uuid, std::string>& touched);
  void pause(std::uint64_t worker);
  void finish(const std::shared_ptr<Act>& act, const Result<void>& result);
  // Runs one step that may hang; false: this worker was retired meanwhile and must leave.
  bool guarded(std::uint64_t worker, const std::string& what, std::chrono::milliseconds limit,
               const std::function<void()>& step);
  void step_hangs(std::uint64_t worker, std::uint64_t step, const std::string& what);
  void went_down(std::uint64_t worker, const std::string& reason);
  void went_up(std::uint64_t worker, const HostSession& session);
  bool note_failure(const Lock& held, const std::string& reason);  // whether it is news
  bool current(std::uint64_t worker) const;
  bool current(const Lock& held, std::uint64_t worker) const;

  const HostConfig config_;
  const std::shared_ptr<const HypervisorOptions> options_;
  const std::shared_ptr<Gate> gate_;
  const bool private_state_;  // of the test driver

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Deadlines* deadlines_;  // null once stopped
  std::deque<std::shared_ptr<Act>> queue_;
  std::shared_ptr<Act> running_;
  std::map<Uuid, std::string> touched_;  // domains with lifecycle events since the last look
  std::string lost_;                     // why libvirt closed the connection; empty: it did not
  std::uint64_t worker_ = 0;             // number of the current one
  bool worker_alive_ = false;
  std::uint64_t step_ = 0;  // counts steps; odd while one runs
  int threads_ = 0;         // workers that have not left, the hung ones included
  int failures_ = 0;        // connections failed in a row
  bool reported_down_ = false;
  std::chrono::steady_clock::time_point next_look_ = {};
  HostStatus status_;
};

}  // namespace emplace
