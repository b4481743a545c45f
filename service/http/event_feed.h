// EventFeed: the server-sent event streams of GET /v1/events. One thread waits for the picture to take in new events,
// reads them from the store once for all streams that stand at the same place, and writes them out; a stream that
// resumes further back is brought up in pages. While the store is away streams only get heartbeats.
//
//   id: 4711
//   event: host
//   data: {"kind":"host", ...}
//
// Retention is bounded: where events between two ids are gone, an event "gap" says so.
//
// Threads: its own one; join() and close() from any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "service/core/doors.h"
#include "service/http/reply.h"

namespace emplace::http {

class EventFeed {
 public:
  EventFeed(const Pictures& pictures, Store& store, std::chrono::milliseconds heartbeat);
  ~EventFeed();
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  // Sends what comes after `seq`.
  void join(std::shared_ptr<Stream> stream, std::int64_t seq);
  // Finishes every stream and takes no new ones. Idempotent.
  void close();
  std::size_t streams() const;

 private:
  struct Listener {
    std::shared_ptr<Stream> stream;
    std::int64_t seq;
  };
  struct Batch {
    std::vector<Event> events;
    bool gone;  // beyond retention
  };

  void work();
  void send_new();
  std::optional<Batch> read(std::int64_t seq);
  void send(Listener& to, const Batch& batch, std::int64_t head);
  bool wait_for_new();
  void beat();

  const Pictures& pictures_;
  Store& store_;
  const std::chrono::milliseconds heartbeat_;
  mutable std::mutex mutex_;  // guards joining_ and closed_
  std::condition_variable changed_;
  std::vector<Listener> joining_;
  std::size_t count_ = 0;
  bool closed_ = false;
  std::vector<Listener> listeners_;  // the thread's own
  std::chrono::steady_clock::time_point next_beat_;
  std::thread thread_;
};

}  // namespace emplace::http
