#include "service/store/event_tail.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "service/core/base/failpoint.h"
#include "service/core/base/shown_text.h"
#include "service/store/events.h"
#include "service/store/session.h"

namespace emplace {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBatch = 4096;
constexpr auto kReadStuckAfter = 10s;
constexpr std::chrono::milliseconds kOthersEvery{20};  // at most: each read makes a picture, also of a single event
constexpr auto kPatience = 1s;                         // at the end, before the connection is cut

constexpr int kLongestPause_ms = 500;  // a database that comes back with another history is noticed within a second

bool is_same(const Event& a, const Event& b) {
  return a.at_us == b.at_us && a.kind == b.kind && a.payload == b.payload;
}

class Listener : public pqxx::notification_receiver {
 public:
  explicit Listener(pqxx::connection& connection) : notification_receiver(connection, "emplace_events") {}
  void operator()(const std::string& seq, int) override {
    std::int64_t told = std::numeric_limits<std::int64_t>::max();  // unless it says less: look
    std::from_chars(seq.data(), seq.data() + seq.size(), told);
    newest_ = std::max(newest_, told);
  }
  // Whether there was one of an event after `seq` since the last call.
  bool take(std::int64_t seq) { return std::exchange(newest_, 0) > seq; }

 private:
  std::int64_t newest_ = 0;
};

}  // namespace

Doorbells::~Doorbells() {
  for (const int bell : bells_) close(bell);
}

int Doorbells::add() {
  const int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const std::lock_guard lock(mutex_);
  bells_.push_back(bell);
  return bell;
}

void Doorbells::remove(int bell) {
  const std::lock_guard lock(mutex_);
  std::erase(bells_, bell);
  close(bell);
}

void Doorbells::ring() {
  const std::uint64_t one = 1;
  const std::lock_guard lock(mutex_);
  for (const int bell : bells_) [[maybe_unused]] const auto written = write(bell, &one, sizeof one);
}

EventTail::EventTail(const Address& address, std::int64_t after, Deliver deliver, Lost lost, Watch& watch,
                     Doorbells& bells, Log log)
    : last_(after),
      deliver_(std::move(deliver)),
      lost_(std::move(lost)),
      watch_(watch),
      bells_(bells),
      log_(std::move(log)),
      session_(std::make_unique<Session>(address, Purpose::kEvents)),
      bell_(bells.add()) {
  watch_.add(*session_);
  thread_ = std::thread([this] {
    run();
    ended_.set_value();
  });
}

EventTail::~EventTail() {
  stopping_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(bell_, &one, sizeof one);
  if (ended_.get_future().wait_for(kPatience) == std::future_status::timeout) session_->cut();
  thread_.join();
  watch_.remove(*session_);
  bells_.remove(bell_);
}

// Whether it was rung, or the time is up, rather than something came by the socket alone.
bool EventTail::wait(int socket, int timeout_ms) {
  pollfd wakers[] = {{bell_, POLLIN, 0}, {socket, POLLIN, 0}};
  const int ready = poll(wakers, 2, timeout_ms);
  std::uint64_t rings = 0;
  [[maybe_unused]] const auto got = read(bell_, &rings, sizeof rings);
  return ready <= 0 || wakers[0].revents != 0;
}

// Returns at once when it is rung.
void EventTail::wait_until(Deadline time) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(time - std::chrono::steady_clock::now());
  if (left.count() > 0) wait(-1, static_cast<int>(left.count()));
}

// What follows the last one that was delivered. That one is read, too, and must be the same: seq alone would not tell a
// database with another history from ours.
std::vector<Event> EventTail::read_new(pqxx::transaction_base& transaction, std::optional<Loss>& loss) {
  auto events = read_events(transaction, last_ - 1, kBatch + 1);
  if (!events.empty() && events.front().seq == last_) {
    if (known_ && !is_same(*known_, events.front())) loss = Loss::kRewound;
    known_ = std::move(events.front());
    events.erase(events.begin());
  }
  if (events.empty()) {
    const std::int64_t newest = newest_event(transaction);
    if (newest < last_) loss = Loss::kRewound;
    if (newest > last_ && read_events(transaction, last_, 1).empty()) loss = Loss::kTrimmed;
  } else if (events.front().seq != last_ + 1 && !loss) {
    loss = Loss::kTrimmed;
  }
  return events;
}

// The state is loaded anew; false: it could not be.
bool EventTail::start_anew(Loss loss) {
  const auto seq = lost_(loss);
  if (!seq) return false;
  last_ = *seq;
  known_.reset();
  return true;
}

// False: there may be more.
bool EventTail::deliver_new() {
  pqxx::nontransaction transaction(session_->open(std::chrono::steady_clock::now() + kReadStuckAfter));
  if (const auto now = std::chrono::steady_clock::now(); now >= check_at_) {
    session_->check_backend(transaction);  // else nobody listens any more
    check_at_ = now + 1s;
  }
  std::optional<Loss> loss;
  const auto events = read_new(transaction, loss);
  transaction.commit();
  session_->idle();
  if (loss) return !start_anew(*loss);
  if (events.empty()) return true;
  if (fail_at("events.read")) throw pqxx::broken_connection();
  last_ = events.back().seq;
  known_ = events.back();
  deliver_(events);
  return events.size() < kBatch;
}

void EventTail::follow() {
  auto& connection = session_->open(std::chrono::steady_clock::now() + kReadStuckAfter);
  Listener listener(connection);
  while (!stopping_) {
    if (!connection.is_open()) throw pqxx::broken_connection();  // open() would replace it under the listener
    if (!deliver_new()) continue;
    const auto read_at = std::chrono::steady_clock::now();
    bool look = false;
    while (!look && connection.is_open()) {
      look = wait(connection.sock(), 1000);
      connection.get_notifs();
      if (look || !listener.take(last_)) continue;
      look = true;
      wait_until(read_at + kOthersEvery);
    }
  }
}

void EventTail::run() {
  for (int pause_ms = 50; !stopping_; pause_ms = std::min(pause_ms * 2, kLongestPause_ms)) {
    const std::int64_t before = last_;
    try {
      follow();
    } catch (const std::exception& error) {
      session_->close();
      if (stopping_) return;
      if (pause_ms == 50)
        log_(LogLevel::kWarn,
             fmt::format("msg=\"events are not followed for now\" after={} error={}", last_, log_text(error.what())));
    }
    if (last_ != before) pause_ms = 50;
    if (!stopping_) wait(-1, pause_ms);
  }
}

}  // namespace emplace
