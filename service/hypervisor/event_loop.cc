#include "service/hypervisor/event_loop.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <shared_mutex>

namespace emplace {
namespace {

// libvirt's registration has no context pointer, hence the only mutable global of this room. Calls into the loop hold
// the lock shared, so that the loop does not vanish under them.
struct Current {
  std::shared_mutex mutex;
  EventLoop* loop = nullptr;
};

Current& current() {
  static Current the;
  return the;
}

template <typename Call>
int with_loop(Call call) {
  Current& the = current();
  const std::shared_lock lock(the.mutex);
  return the.loop == nullptr ? -1 : call(*the.loop);
}

int add_handle(int fd, int events, virEventHandleCallback call, void* opaque, virFreeCallback release) {
  return with_loop([&](EventLoop& loop) { return loop.add_handle(fd, events, call, opaque, release); });
}
void update_handle(int watch, int events) {
  with_loop([&](EventLoop& loop) { return loop.update_handle(watch, events), 0; });
}
int remove_handle(int watch) {
  return with_loop([&](EventLoop& loop) { return loop.remove_handle(watch); });
}
int add_timeout(int ms, virEventTimeoutCallback call, void* opaque, virFreeCallback release) {
  return with_loop([&](EventLoop& loop) { return loop.add_timeout(ms, call, opaque, release); });
}
void update_timeout(int timer, int ms) {
  with_loop([&](EventLoop& loop) { return loop.update_timeout(timer, ms), 0; });
}
int remove_timeout(int timer) {
  return with_loop([&](EventLoop& loop) { return loop.remove_timeout(timer); });
}

void keep_quiet(void*, virErrorPtr) {}

short to_poll(int events) {
  int wanted = 0;
  if ((events & VIR_EVENT_HANDLE_READABLE) != 0) wanted |= POLLIN;
  if ((events & VIR_EVENT_HANDLE_WRITABLE) != 0) wanted |= POLLOUT;
  return static_cast<short>(wanted);
}

int from_poll(short ready) {
  int events = 0;
  if ((ready & POLLIN) != 0) events |= VIR_EVENT_HANDLE_READABLE;
  if ((ready & POLLOUT) != 0) events |= VIR_EVENT_HANDLE_WRITABLE;
  if ((ready & (POLLERR | POLLNVAL)) != 0) events |= VIR_EVENT_HANDLE_ERROR;
  if ((ready & POLLHUP) != 0) events |= VIR_EVENT_HANDLE_HANGUP;
  return events;
}

}  // namespace

EventLoop::EventLoop() : wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  {
    const std::unique_lock lock(current().mutex);
    current().loop = this;
  }
  virInitialize();
  virSetErrorFunc(nullptr, keep_quiet);
  virEventRegisterImpl(&emplace::add_handle, &emplace::update_handle, &emplace::remove_handle, &emplace::add_timeout,
                       &emplace::update_timeout, &emplace::remove_timeout);
  thread_ = std::thread([this] { run(); });
}

EventLoop::~EventLoop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
  release_removed();
  const std::unique_lock lock(current().mutex);
  current().loop = nullptr;
  close(wake_fd_);
}

int EventLoop::add_handle(int fd, int events, HandleCall call, void* opaque, Free release) {
  const std::lock_guard lock(mutex_);
  const int watch = next_id_++;
  handles_[watch] = {fd, events, call, opaque, release};
  wake();
  return watch;
}

void EventLoop::update_handle(int watch, int events) {
  const std::lock_guard lock(mutex_);
  const auto found = handles_.find(watch);
  if (found == handles_.end()) return;
  found->second.events = events;
  wake();
}

int EventLoop::remove_handle(int watch) {
  const std::lock_guard lock(mutex_);
  const auto found = handles_.find(watch);
  if (found == handles_.end()) return -1;
  removed_.push_back({found->second.release, found->second.opaque});
  handles_.erase(found);
  wake();
  return 0;
}

int EventLoop::add_timeout(int ms, TimeoutCall call, void* opaque, Free release) {
  const std::lock_guard lock(mutex_);
  const int timer = next_id_++;
  timeouts_[timer] = {ms, std::chrono::steady_clock::now() + std::chrono::milliseconds(ms), call, opaque, release};
  wake();
  return timer;
}

void EventLoop::update_timeout(int timer, int ms) {
  const std::lock_guard lock(mutex_);
  const auto found = timeouts_.find(timer);
  if (found == timeouts_.end()) return;
  found->second.ms = ms;
  found->second.due = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  wake();
}

int EventLoop::remove_timeout(int timer) {
  const std::lock_guard lock(mutex_);
  const auto found = timeouts_.find(timer);
  if (found == timeouts_.end()) return -1;
  removed_.push_back({found->second.release, found->second.opaque});
  timeouts_.erase(found);
  wake();
  return 0;
}

void EventLoop::wake() {
  const std::uint64_t one = 1;
  // A full counter is as good as a write: the loop wakes up either way.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof one);
}

int EventLoop::wait_ms(Time now) const {
  std::optional<Time> first;
  for (const auto& [timer, timeout] : timeouts_) {
    if (timeout.ms >= 0 && (!first || timeout.due < *first)) first = timeout.due;
  }
  if (!first) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*first - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void EventLoop::run() {
  std::vector<pollfd> fds;
  std::vector<int> watches;
  for (;;) {
    int wait = -1;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      fds.assign(1, {wake_fd_, POLLIN, 0});
      watches.assign(1, 0);
      for (const auto& [watch, handle] : handles_) {
        if (handle.events == 0) continue;
        fds.push_back({handle.fd, to_poll(handle.events), 0});
        watches.push_back(watch);
      }
      wait = wait_ms(std::chrono::steady_clock::now());
    }
    poll(fds.data(), fds.size(), wait);
    std::uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t got = read(wake_fd_, &ignored, sizeof ignored);
    run_due_timeouts();
    for (std::size_t i = 1; i < fds.size(); ++i) {
      if (fds[i].revents != 0) run_ready_handles(watches[i], fds[i].revents);
    }
    release_removed();
  }
}

void EventLoop::run_due_timeouts() {
  std::unique_lock lock(mutex_);
  const Time now = std::chrono::steady_clock::now();
  std::vector<int> due;
  for (const auto& [timer, timeout] : timeouts_) {
    if (timeout.ms >= 0 && timeout.due <= now) due.push_back(timer);
  }
  for (const int timer : due) {
    const auto found = timeouts_.find(timer);
    if (found == timeouts_.end() || found->second.ms < 0) continue;  // a callback before this one took it away
    found->second.due = now + std::chrono::milliseconds(found->second.ms);
    const Timeout timeout = found->second;
    lock.unlock();
    timeout.call(timer, timeout.opaque);
    lock.lock();
  }
}

void EventLoop::run_ready_handles(int watch, short ready) {
  Handle handle;
  {
    const std::lock_guard lock(mutex_);
    const auto found = handles_.find(watch);
    if (found == handles_.end() || found->second.events == 0) return;
    handle = found->second;
  }
  handle.call(watch, handle.fd, from_poll(ready), handle.opaque);
}

void EventLoop::release_removed() {
  std::vector<Released> removed;
  {
    const std::lock_guard lock(mutex_);
    removed.swap(removed_);
  }
  for (const Released& one : removed) {
    if (one.release != nullptr) one.release(one.opaque);
  }
}

}  // namespace emplace
