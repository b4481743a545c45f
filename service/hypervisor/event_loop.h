// EventLoop: the thread that libvirt's connections need for lifecycle events and keepalive. libvirt takes one event
// loop for the whole process and gives its functions no context pointer, so exactly one EventLoop lives at a time; main
// makes it before the first connection and keeps it longer than the last.
//
// Its own poll loop rather than libvirt's: libvirt's iterates GLib's default main context, which on this system is also
// the main context of Qt's main thread; two threads running one context would run Qt's timers on ours.
//
// Threads: callbacks of libvirt run on this one thread, so they must not wait for anything.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace emplace {

class EventLoop {
 public:
  EventLoop();   // also initialises libvirt and silences its own printing to stderr
  ~EventLoop();  // joins the thread; connections that are still open get no more events
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  using Time = std::chrono::steady_clock::time_point;
  using HandleCall = void (*)(int watch, int fd, int events, void* opaque);
  using TimeoutCall = void (*)(int timer, void* opaque);
  using Free = void (*)(void* opaque);

  // What libvirt calls, from any thread, also from within callbacks. Events are libvirt's (VIR_EVENT_HANDLE_*).
  int add_handle(int fd, int events, HandleCall call, void* opaque, Free release);
  void update_handle(int watch, int events);
  int remove_handle(int watch);
  int add_timeout(int ms, TimeoutCall call, void* opaque, Free release);  // ms < 0: off
  void update_timeout(int timer, int ms);
  int remove_timeout(int timer);

 private:
  struct Handle {
    int fd = -1;
    int events = 0;
    HandleCall call = nullptr;
    void* opaque = nullptr;
    Free release = nullptr;
  };
  struct Timeout {
    int ms = -1;
    Time due = {};
    TimeoutCall call = nullptr;
    void* opaque = nullptr;
    Free release = nullptr;
  };
  struct Released {
    Free release;
    void* opaque;
  };

  void run();
  void wake();
  void run_due_timeouts();
  void run_ready_handles(int watch, short ready);
  void release_removed();
  int wait_ms(Time now) const;

  std::mutex mutex_;  // guards everything below but the thread
  std::map<int, Handle> handles_;
  std::map<int, Timeout> timeouts_;
  std::vector<Released> removed_;  // freed by the loop: libvirt may hold a lock while it removes
  int next_id_ = 1;
  bool stopping_ = false;
  int wake_fd_ = -1;
  std::thread thread_;
};

}  // namespace emplace
