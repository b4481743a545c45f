// The EventFeed brings the store's events to server-sent event streams: one thread waits for the picture to have new
// events, reads them from the store in pages, renders each page once, and gives the same bytes to all streams that
// stand at the same place; one that resumes further back is brought up page by page. A stream that still has much to
// send gets no more until its client has taken it, so that slow clients hold a bounded amount of memory, and fall back
// instead of being cut off. While the store is away streams only get heartbeats.
//
//   id: 4711
//   event: host
//   at: 2026-11-30T10:43:09.123456Z      when it was committed
//   actor: token ci                      who made the change, where that is known
//   data: {"kind":"host", ...}
//
// Retention is bounded: where events between two ids are gone, or an id is ahead of the store, an event "gap" says so.
// It also does on each stream that is open when the picture is loaded anew, since the store may be another one than
// before, whose events have the same numbers.
//
// Threads: its own one; join() and close() from any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "service/core/doors/pictures.h"
#include "service/core/doors/store.h"
#include "service/core/picture/picture.h"
#include "service/http/reply.h"

namespace emplace::http {

class EventFeed {
 public:
  EventFeed(const Pictures& pictures, Store& store, std::chrono::milliseconds heartbeat);
  ~EventFeed();
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  // Sends what comes after `seq`; with a project, only what concerns() it.
  void join(std::shared_ptr<Stream> stream, std::int64_t seq, std::string project = {});
  // Finishes every stream and takes no new ones. Idempotent.
  void close();
  std::size_t streams() const;

 private:
  struct Listener {
    std::shared_ptr<Stream> stream;
    std::int64_t seq;     // of the last event that it was given
    std::int64_t loads;   // of the picture that `seq` belongs to
    std::string project;  // empty: it gets everything
  };
  // What follows event `after`, up to event `last`, as it is sent to streams of that project.
  struct Page {
    std::int64_t after, last;
    std::string project;
    Bytes bytes;
  };

  void work();
  bool take_joining();
  bool wait_for_new();
  void pause(std::chrono::milliseconds wait);
  bool send_new();
  // kNotNow: the picture lags behind, or streams hold all that they may.
  enum class Sent { kYes, kNotNow, kStoreAway };
  static bool stands_at(const Listener& one, const PictureVersion& now);
  void send_gap(Listener& to, const PictureVersion& now);
  Sent send(Listener& to, const PictureVersion& now);
  const Page* known_page(const Listener& of) const;
  std::optional<Page> read(const Listener& of, std::int64_t head);
  bool is_ahead_of_store(std::int64_t seq);
  bool may_hold_more();
  void beat();

  const Pictures& pictures_;
  Store& store_;
  const std::chrono::milliseconds heartbeat_;
  mutable std::mutex mutex_;  // guards joining_, count_ and closed_
  std::condition_variable changed_;
  std::vector<Listener> joining_;
  std::size_t count_ = 0;
  bool closed_ = false;
  // The thread's own:
  std::vector<Listener> listeners_;
  std::vector<std::weak_ptr<const std::string>> given_;  // pages that streams may still hold
  std::deque<Page> pages_;                               // the last ones read, which other streams may want
  std::int64_t loads_ = 0;                               // of the picture that they were read for
  std::chrono::steady_clock::time_point next_beat_;
  std::thread thread_;
};

}  // namespace emplace::http
