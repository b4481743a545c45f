#include "service/http/event_feed.h"

#include <algorithm>

#include "service/core/time_text.h"

namespace emplace::http {
namespace {

constexpr std::size_t kBatch = 500;
constexpr std::chrono::milliseconds kPatience{500};  // between looks at streams that joined or closed
constexpr std::chrono::seconds kStoreDeadline{5};

std::string text_of(const Event& event) {
  return "id: " + std::to_string(event.seq) + "\nevent: " + event.kind + "\nat: " + time_text(event.at_us) +
         "\ndata: " + event.payload + "\n\n";
}

std::string gap(std::int64_t after, std::int64_t next) {
  return "event: gap\ndata: {\"after\":" + std::to_string(after) + ",\"next\":" + std::to_string(next) + "}\n\n";
}

Deadline soon(std::chrono::milliseconds wait) { return std::chrono::steady_clock::now() + wait; }

}  // namespace

EventFeed::EventFeed(const Pictures& pictures, Store& store, std::chrono::milliseconds heartbeat)
    : pictures_(pictures),
      store_(store),
      heartbeat_(heartbeat),
      next_beat_(std::chrono::steady_clock::now() + heartbeat),
      thread_([this] { work(); }) {}

EventFeed::~EventFeed() {
  close();
  thread_.join();
}

void EventFeed::join(std::shared_ptr<Stream> stream, std::int64_t seq) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return stream->finish();
    joining_.push_back({std::move(stream), seq});
  }
  changed_.notify_all();
}

void EventFeed::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

std::size_t EventFeed::streams() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

// False when the feed is closed.
bool EventFeed::wait_for_new() {
  std::unique_lock lock(mutex_);
  if (listeners_.empty()) changed_.wait(lock, [this] { return closed_ || !joining_.empty(); });
  for (Listener& one : joining_) listeners_.push_back(std::move(one));
  joining_.clear();
  std::erase_if(listeners_, [](const Listener& one) { return !one.stream->alive(); });
  count_ = listeners_.size();
  return !closed_;
}

void EventFeed::work() {
  while (wait_for_new()) {
    if (listeners_.empty()) continue;
    const auto behind = std::min_element(listeners_.begin(), listeners_.end(),
                                         [](const Listener& a, const Listener& b) { return a.seq < b.seq; });
    if (pictures_.wait_for(behind->seq + 1, soon(std::min(kPatience, heartbeat_)))) send_new();
    if (std::chrono::steady_clock::now() >= next_beat_) beat();
  }
  for (const Listener& one : listeners_) one.stream->finish();
}

// What comes after `seq`; nothing when the store is away.
std::optional<EventFeed::Batch> EventFeed::read(std::int64_t seq) {
  auto events = store_.events_after(seq, kBatch, soon(kStoreDeadline));
  if (events) return Batch{*std::move(events), false};
  // Too long ago: the stream goes on with what comes next.
  if (events.error().code == ErrorCode::kGone) return Batch{{}, true};
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, kPatience, [this] { return closed_; });
  return std::nullopt;
}

void EventFeed::send(Listener& to, const Batch& batch, std::int64_t head) {
  if (batch.gone) to.stream->write(gap(to.seq, head + 1));
  for (const Event& event : batch.events) {
    to.stream->write(text_of(event));
    to.seq = event.seq;
  }
  if (batch.events.empty()) to.seq = head;
}

void EventFeed::send_new() {
  std::map<std::int64_t, Batch> batches;  // by where a stream stands
  const std::int64_t head = pictures_.latest()->version().event_seq;
  for (Listener& one : listeners_) {
    if (one.seq >= head) continue;
    auto batch = batches.find(one.seq);
    if (batch == batches.end()) {
      auto read_now = read(one.seq);
      if (!read_now) return;
      batch = batches.emplace(one.seq, *std::move(read_now)).first;
    }
    send(one, batch->second, head);
  }
}

void EventFeed::beat() {
  next_beat_ = std::chrono::steady_clock::now() + heartbeat_;
  for (const Listener& one : listeners_) one.stream->write(":\n\n");
}

}  // namespace emplace::http
