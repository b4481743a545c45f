#include "service/hypervisor/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "service/hypervisor/domains.h"
#include "service/hypervisor/session.h"

namespace emplace {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

std::int64_t wall_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

double seconds(milliseconds time) { return static_cast<double>(time.count()) / 1000; }

// What a callback of libvirt gets: it may come when the host or this worker is gone.
struct Listener {
  std::weak_ptr<Host> host;
  std::uint64_t worker;
};

void free_listener(void* opaque) { const std::unique_ptr<Listener> freed(static_cast<Listener*>(opaque)); }

const char* word_of(int event) {
  switch (event) {
    case VIR_DOMAIN_EVENT_DEFINED:
      return "defined";
    case VIR_DOMAIN_EVENT_UNDEFINED:
      return "undefined";
    case VIR_DOMAIN_EVENT_STARTED:
      return "started";
    case VIR_DOMAIN_EVENT_SUSPENDED:
      return "suspended";
    case VIR_DOMAIN_EVENT_RESUMED:
      return "resumed";
    case VIR_DOMAIN_EVENT_STOPPED:
      return "stopped";
    case VIR_DOMAIN_EVENT_SHUTDOWN:
      return "shut down";
    case VIR_DOMAIN_EVENT_PMSUSPENDED:
      return "asleep";
    case VIR_DOMAIN_EVENT_CRASHED:
      return "crashed";
    default:
      return "changed";
  }
}

int on_lifecycle(virConnectPtr, virDomainPtr domain, int event, int, void* opaque) {
  const auto* const listener = static_cast<const Listener*>(opaque);
  if (const auto host = listener->host.lock()) host->note_domain(listener->worker, uuid_of(domain), word_of(event));
  return 0;
}

void on_close(virConnectPtr, int reason, void* opaque) {
  const auto* const listener = static_cast<const Listener*>(opaque);
  const char* const why = reason == VIR_CONNECT_CLOSE_REASON_KEEPALIVE ? "keepalive was not answered"
                          : reason == VIR_CONNECT_CLOSE_REASON_EOF     ? "the other side closed it"
                                                                       : "it broke";
  if (const auto host = listener->host.lock()) host->note_lost(listener->worker, why);
}

// Listens for as long as it lives. libvirt's registrations hold the connection, so they must end before it can close.
class Listening {
 public:
  Listening(virConnectPtr connection, const std::shared_ptr<Host>& host, std::uint64_t worker)
      : connection_(connection), close_{host, worker} {
    auto events = std::make_unique<Listener>(Listener{host, worker});
    event_ = virConnectDomainEventRegisterAny(connection_, nullptr, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                              VIR_DOMAIN_EVENT_CALLBACK(&on_lifecycle), events.get(), &free_listener);
    if (event_ >= 0) events.release();  // free_listener's from now on
    closing_ = virConnectRegisterCloseCallback(connection_, &on_close, &close_, nullptr) == 0;
  }
  ~Listening() {
    if (event_ >= 0) virConnectDomainEventDeregisterAny(connection_, event_);
    if (closing_) virConnectUnregisterCloseCallback(connection_, &on_close);
  }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

 private:
  const virConnectPtr connection_;
  int event_ = -1;
  // Ours, because drivers without this callback take the registration and forget it. No call comes once it was ended.
  Listener close_;
  bool closing_ = false;
};

}  // namespace

Host::Host(HostConfig config, std::shared_ptr<const HypervisorOptions> options, std::shared_ptr<Gate> gate,
           Deadlines& deadlines)
    : config_(std::move(config)),
      options_(std::move(options)),
      gate_(std::move(gate)),
      private_state_(config_.uri.rfind("test:", 0) == 0),
      deadlines_(&deadlines) {
  status_.name = config_.name;
  status_.uri = config_.uri;
  status_.since_us = wall_us();
}

HostStatus Host::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void Host::begin() { start_worker(Lock(mutex_)); }

void Host::start_worker(const Lock&) {
  ++worker_;
  ++threads_;
  worker_alive_ = true;
  std::thread([self = shared_from_this(), worker = worker_] { self->run(worker); }).detach();
}

void Host::submit(std::shared_ptr<Act> act) {
  {
    const Lock lock(mutex_);
    if (deadlines_ != nullptr) {
      const auto late = fail(ErrorCode::kTimeout, fmt::format("{}: host {} did not answer in time; it may still happen",
                                                              act->what(), config_.name));
      act->ticket = deadlines_->at(act->deadline(), [act, late, gate = gate_] { act->answer(*gate, late); });
      // Nobody takes from the queue of a host whose workers all hang.
      while (!queue_.empty() && queue_.front()->answered()) queue_.pop_front();
      queue_.push_back(std::move(act));
      changed_.notify_all();
      return;
    }
  }
  act->answer(*gate_, fail(ErrorCode::kUnavailable, act->what() + ": the service is stopping"));
}

void Host::stop() {
  std::deque<std::shared_ptr<Act>> left;
  {
    const Lock lock(mutex_);
    deadlines_ = nullptr;
    left.swap(queue_);
    if (running_ != nullptr) left.push_back(running_);
    changed_.notify_all();
  }
  for (const auto& act : left) {
    act->answer(*gate_, fail(ErrorCode::kUnavailable, act->what() + ": the service is stopping"));
  }
}

void Host::wait_stopped(Deadline deadline) {
  Lock lock(mutex_);
  changed_.wait_until(lock, deadline, [&] { return threads_ <= status_.hung_calls; });
}

void Host::note_domain(std::uint64_t worker, const Uuid& id, std::string what) {
  const Lock lock(mutex_);
  if (!current(lock, worker)) return;
  touched_[id] = std::move(what);
  changed_.notify_all();
}

void Host::note_lost(std::uint64_t worker, std::string reason) {
  const Lock lock(mutex_);
  if (!current(lock, worker)) return;
  lost_ = std::move(reason);
  changed_.notify_all();
}

bool Host::current(std::uint64_t worker) const { return current(Lock(mutex_), worker); }

bool Host::current(const Lock&, std::uint64_t worker) const { return deadlines_ != nullptr && worker == worker_; }

void Host::run(std::uint64_t worker) {
  while (current(worker)) {
    pause(worker);
    if (auto session = connect(worker)) serve(worker, *session);
  }
  const Lock lock(mutex_);
  --threads_;
  if (worker != worker_) {
    --status_.hung_calls;
    if (!worker_alive_ && deadlines_ != nullptr) start_worker(lock);
  }
  changed_.notify_all();
}

bool Host::guarded(std::uint64_t worker, const std::string& what, milliseconds limit,
                   const std::function<void()>& step) {
  std::uint64_t number = 0;
  Deadlines::Ticket ticket;
  {
    const Lock lock(mutex_);
    if (!current(lock, worker)) return false;
    number = ++step_;
    ticket = deadlines_->at(Clock::now() + limit, [weak = weak_from_this(), worker, number, what] {
      if (const auto self = weak.lock()) self->step_hangs(worker, number, what);
    });
  }
  step();
  const Lock lock(mutex_);
  if (!current(lock, worker)) return false;
  ++step_;
  deadlines_->forget(ticket);
  return true;
}

void Host::step_hangs(std::uint64_t worker, std::uint64_t step, const std::string& what) {
  const std::string reason = fmt::format("host {} at {} does not answer ({})", config_.name, config_.uri, what);
  bool news = false;
  {
    const Lock lock(mutex_);
    if (!current(lock, worker) || step_ != step) return;
    if (private_state_) {
      status_.last_error = reason;
      return;
    }
    ++step_;
    ++status_.hung_calls;
    running_ = nullptr;
    news = note_failure(lock, reason);
    worker_alive_ = false;
    if (status_.hung_calls <= kMostHung) {
      start_worker(lock);
    } else {
      ++worker_;  // the hung one is nobody's worker any more
    }
  }
  if (news) gate_->pass([&](const Reports& reports) { reports.disconnected(config_.name, reason); });
}

bool Host::note_failure(const Lock&, const std::string& reason) {
  const bool news = !reported_down_ || status_.connected || status_.last_error != reason;
  if (status_.connected) status_.since_us = wall_us();
  status_.connected = false;
  status_.last_error = reason;
  reported_down_ = true;
  ++failures_;
  touched_.clear();
  lost_.clear();
  return news;
}

void Host::went_down(std::uint64_t worker, const std::string& reason) {
  bool news = false;
  {
    const Lock lock(mutex_);
    if (!current(lock, worker)) return;
    news = note_failure(lock, reason);
  }
  if (news) gate_->pass([&](const Reports& reports) { reports.disconnected(config_.name, reason); });
}

void Host::went_up(std::uint64_t worker, const HostSession& session) {
  {
    const Lock lock(mutex_);
    if (!current(lock, worker)) return;
    failures_ = 0;
    reported_down_ = false;
    next_look_ = {};
    status_.connected = true;
    status_.since_us = wall_us();
    status_.hypervisor = session.hypervisor;
    status_.last_error.clear();
  }
  gate_->pass([&](const Reports& reports) { reports.connected(config_.name, session.test, session.identity); });
}

// Back-off after a failure; acts that come meanwhile are told at once.
void Host::pause(std::uint64_t worker) {
  Lock lock(mutex_);
  if (failures_ == 0) return;
  const auto doubled = options_->retry_first * (std::int64_t{1} << std::min(failures_ - 1, 20));
  const auto until = Clock::now() + std::min<milliseconds>(doubled, options_->retry_most);
  while (current(lock, worker)) {
    if (queue_.empty()) {
      if (changed_.wait_until(lock, until) == std::cv_status::timeout) return;
      continue;
    }
    const auto act = std::move(queue_.front());
    queue_.pop_front();
    const auto left = std::chrono::ceil<std::chrono::seconds>(until - Clock::now()).count();
    const auto error = fail(ErrorCode::kUnavailable, fmt::format("{}: {}", act->what(), status_.last_error), {},
                            static_cast<int>(std::max<std::int64_t>(1, left)));
    lock.unlock();
    finish(act, error);
    lock.lock();
  }
}

void Host::finish(const std::shared_ptr<Act>& act, const Result<void>& result) {
  {
    const Lock lock(mutex_);
    if (running_ == act) running_ = nullptr;
    if (deadlines_ != nullptr) deadlines_->forget(act->ticket);
  }
  act->answer(*gate_, result);
}

std::optional<HostSession> Host::connect(std::uint64_t worker) {
  std::optional<Result<HostSession>> opened;
  const std::string what = fmt::format("no connection within {} s", seconds(options_->connect_deadline));
  if (!guarded(worker, what, options_->connect_deadline, [&] { opened = open_session(config_, *options_); })) return {};
  if (*opened) return std::move(**opened);
  went_down(worker, opened->error().message);
  return {};
}

void Host::serve(std::uint64_t worker, HostSession& session) {
  std::optional<Listening> listening;
  const std::string what = fmt::format("events not registered within {} s", seconds(options_->connect_deadline));
  const auto listen = [&] { listening.emplace(session.get(), shared_from_this(), worker); };
  if (!guarded(worker, what, options_->connect_deadline, listen)) return;
  went_up(worker, session);
  while (serve_one(worker, session)) {
    if (virConnectIsAlive(session.get()) == 1) continue;
    went_down(worker, fmt::format("connection to host {} at {} is lost", config_.name, config_.uri));
    return;
  }
}

// Waits for the next thing to do and does it; false: this connection is done with.
bool Host::serve_one(std::uint64_t worker, HostSession& session) {
  Lock lock(mutex_);
  changed_.wait_until(lock, next_look_,
                      [&] { return !current(lock, worker) || !lost_.empty() || !queue_.empty() || !touched_.empty(); });
  if (!current(lock, worker)) return false;
  if (!lost_.empty()) {
    const std::string reason = fmt::format("connection to host {} at {} is lost: {}", config_.name, config_.uri, lost_);
    lock.unlock();
    went_down(worker, reason);
    return false;
  }
  // The look comes first: who asks for an act after `connected` finds inventory and domains reported.
  if (Clock::now() >= next_look_) {
    next_look_ = Clock::now() + options_->poll;
    lock.unlock();
    return look(worker, session);
  }
  if (!touched_.empty()) {
    const auto touched = std::exchange(touched_, {});
    lock.unlock();
    return follow_up(worker, session, touched);
  }
  const auto act = queue_.front();
  queue_.pop_front();
  if (act->answered()) return true;
  running_ = act;
  lock.unlock();
  Result<void> result;
  const std::string what = fmt::format("{}, no end within {} s", act->what(), seconds(options_->act_deadline));
  if (!guarded(worker, what, options_->act_deadline, [&] { result = act->work(session); })) return false;
  finish(act, result);
  return true;
}

bool Host::look(std::uint64_t worker, HostSession& session) {
  std::optional<Result<Inventory>> inventory;
  std::optional<Result<std::vector<DomainSeen>>> all;
  const std::string what = fmt::format("inventory not read within {} s", seconds(options_->act_deadline));
  gate_->pass([&](const Reports& reports) { reports.looking(config_.name); });
  const bool still = guarded(worker, what, options_->act_deadline, [&] {
    std::vector<DiskSeen> disks;
    all = list_domains(session, disks);
    inventory = read_inventory(session, config_, disks);
  });
  if (!still) return false;
  {
    const Lock lock(mutex_);
    status_.last_error = !*inventory ? inventory->error().message : !*all ? all->error().message : std::string();
  }
  gate_->pass([&](const Reports& reports) {
    if (*inventory) reports.inventory((*inventory)->row, (*inventory)->shared_filesystems);
    if (*all) reports.domains(config_.name, **all);
  });
  return true;
}

bool Host::follow_up(std::uint64_t worker, HostSession& session, const std::map<Uuid, std::string>& touched) {
  std::vector<DomainEvent> events;
  const std::string what = fmt::format("domains not read within {} s", seconds(options_->act_deadline));
  const bool still = guarded(worker, what, options_->act_deadline, [&] {
    for (const auto& [id, word] : touched) {
      auto seen = find_domain(session.get(), id);
      if (seen) events.push_back({id, word, std::move(*seen)});  // else the next poll tells
    }
  });
  if (!still) return false;
  gate_->pass([&](const Reports& reports) {
    for (const DomainEvent& event : events) reports.domain(config_.name, event);
  });
  return true;
}

}  // namespace emplace
