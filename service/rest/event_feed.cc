#include "service/rest/event_feed.h"

#include <algorithm>

#include "service/core/base/shown_text.h"
#include "service/core/base/time_text.h"
#include "service/rest/project.h"

namespace emplace::http {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kEventsInPage = 500;
constexpr std::size_t kPageBytes = 256 * 1024;  // a page ends with the event that makes it longer
constexpr std::size_t kPagesKept = 16;
constexpr std::size_t kFullBytes = 128 * 1024;         // a stream that has more to send gets nothing for now
constexpr std::size_t kBytesGiven = 64 * 1024 * 1024;  // of pages that streams hold, all together
constexpr milliseconds kPatience{500};                 // between looks at streams that joined or closed
constexpr milliseconds kLook{20};                      // at streams that were full
constexpr std::chrono::seconds kStoreDeadline{5};

void append(std::string& page, const Event& event) {
  page.append("id: ").append(std::to_string(event.seq)).append("\nevent: ").append(event.kind);
  page.append("\nat: ").append(time_text(event.at_us));
  if (!event.actor.empty()) page.append("\nactor: ").append(shown_text(event.actor));
  page.append("\ndata: ").append(event.payload).append("\n\n");
}

std::string gap(std::int64_t after, std::int64_t next) {
  return "event: gap\ndata: {\"after\":" + std::to_string(after) + ",\"next\":" + std::to_string(next) + "}\n\n";
}

Deadline soon(milliseconds wait) { return std::chrono::steady_clock::now() + wait; }

bool is_full(const Stream& stream) { return stream.unsent() > kFullBytes; }

}  // namespace

EventFeed::EventFeed(const Pictures& pictures, Store& store, milliseconds heartbeat)
    : pictures_(pictures),
      store_(store),
      heartbeat_(heartbeat),
      next_beat_(std::chrono::steady_clock::now() + heartbeat),
      thread_([this] { work(); }) {}

EventFeed::~EventFeed() {
  close();
  thread_.join();
}

void EventFeed::join(std::shared_ptr<Stream> stream, std::int64_t seq, std::string project) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return stream->finish();
    joining_.push_back({std::move(stream), seq, pictures_.latest()->version().loads, std::move(project)});
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
bool EventFeed::take_joining() {
  std::unique_lock lock(mutex_);
  if (listeners_.empty()) changed_.wait(lock, [this] { return closed_ || !joining_.empty(); });
  for (Listener& one : joining_) listeners_.push_back(std::move(one));
  joining_.clear();
  std::erase_if(listeners_, [](const Listener& one) { return !one.stream->alive(); });
  count_ = listeners_.size();
  return !closed_;
}

void EventFeed::work() {
  while (take_joining()) {
    if (wait_for_new() && !send_new()) pause(kLook);
    if (std::chrono::steady_clock::now() >= next_beat_) beat();
  }
  for (const Listener& one : listeners_) one.stream->finish();
}

bool EventFeed::stands_at(const Listener& one, const PictureVersion& now) {
  return one.seq == now.event_seq && one.loads == now.loads;
}

// Until there may be something for a stream; false when there was nothing for a moment.
bool EventFeed::wait_for_new() {
  if (listeners_.empty()) return false;
  const PictureVersion now = pictures_.latest()->version();
  const auto full = [](const Listener& one) { return is_full(*one.stream); };
  const auto behind = [&](const Listener& one) { return !stands_at(one, now) && !full(one); };
  if (std::any_of(listeners_.begin(), listeners_.end(), behind)) return true;
  const bool any_full = std::any_of(listeners_.begin(), listeners_.end(), full);
  return pictures_.wait_for(now.event_seq + 1, soon(any_full ? kLook : std::min(kPatience, heartbeat_)));
}

void EventFeed::pause(milliseconds wait) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, wait, [this] { return closed_; });
}

// False when nothing could be sent.
bool EventFeed::send_new() {
  const PictureVersion now = pictures_.latest()->version();
  if (now.loads != loads_) pages_.clear();
  loads_ = now.loads;
  bool any = false;
  for (Listener& one : listeners_) {
    if (stands_at(one, now) || is_full(*one.stream)) continue;
    const Sent sent = send(one, now);
    if (sent == Sent::kStoreAway) break;
    any = any || sent == Sent::kYes;
  }
  return any;
}

void EventFeed::send_gap(Listener& to, const PictureVersion& now) {
  to.stream->write(gap(to.seq, now.event_seq + 1));
  to.seq = now.event_seq;
  to.loads = now.loads;
}

EventFeed::Sent EventFeed::send(Listener& to, const PictureVersion& now) {
  const std::int64_t head = now.event_seq;
  // An id that is ahead of the picture may be of another replica, which this one only lags behind.
  const bool is_lost = to.loads != now.loads || (to.seq > head && is_ahead_of_store(to.seq));
  if (is_lost) {
    send_gap(to, now);
    return Sent::kYes;
  }
  if (to.seq > head) return Sent::kNotNow;
  const Page* page = known_page(to);
  if (!page) {
    if (!may_hold_more()) return Sent::kNotNow;
    auto fresh = read(to, head);
    if (!fresh) return Sent::kStoreAway;
    given_.push_back(fresh->bytes);
    pages_.push_back(*std::move(fresh));
    if (pages_.size() > kPagesKept) pages_.pop_front();
    page = &pages_.back();
  }
  if (!page->bytes->empty()) to.stream->write(page->bytes);
  to.seq = page->last;
  return Sent::kYes;
}

const EventFeed::Page* EventFeed::known_page(const Listener& of) const {
  const auto page = std::find_if(pages_.begin(), pages_.end(),
                                 [&](const Page& one) { return one.after == of.seq && one.project == of.project; });
  return page == pages_.end() ? nullptr : &*page;
}

bool EventFeed::may_hold_more() {
  std::erase_if(given_, [](const auto& bytes) { return bytes.expired(); });
  std::size_t held = 0;
  for (const auto& weak : given_) {
    if (const Bytes bytes = weak.lock()) held += bytes->size();
  }
  return held < kBytesGiven;
}

// Nothing when the store is away.
std::optional<EventFeed::Page> EventFeed::read(const Listener& of, std::int64_t head) {
  const std::int64_t seq = of.seq;
  const auto events = store_.events_after(seq, kEventsInPage, soon(kStoreDeadline));
  if (!events && events.error().code != ErrorCode::kGone) return std::nullopt;
  // Too long ago: the stream goes on with what comes next.
  std::string text = events ? "" : gap(seq, head + 1);
  std::int64_t last = events && !events->empty() ? seq : head;
  for (const Event& event : events ? *events : std::vector<Event>()) {
    if (event.seq > head || text.size() >= kPageBytes) break;
    if (of.project.empty() || concerns(event, of.project)) append(text, event);
    last = event.seq;
  }
  return Page{seq, last, of.project, std::make_shared<const std::string>(std::move(text))};
}

bool EventFeed::is_ahead_of_store(std::int64_t seq) {
  const auto events = store_.events_after(seq - 1, 1, soon(kStoreDeadline));
  return events && events->empty();
}

void EventFeed::beat() {
  static const Bytes kBeat = std::make_shared<const std::string>(":\n\n");
  next_beat_ = std::chrono::steady_clock::now() + heartbeat_;
  for (const Listener& one : listeners_) {
    if (one.stream->unsent() == 0) one.stream->write(kBeat);
  }
}

}  // namespace emplace::http
