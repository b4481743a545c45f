#include "service/store/event_tail.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "service/core/failpoint.h"
#include "service/store/events.h"
#include "service/store/session.h"

namespace emplace {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBatch = 4096;
constexpr auto kReadStuckAfter = 10s;
constexpr auto kPatience = 1s;  // at the end, before the connection is cut

class Listener : public pqxx::notification_receiver {
 public:
  explicit Listener(pqxx::connection& connection) : notification_receiver(connection, "emplace_events") {}
  void operator()(const std::string&, int) override {}
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

EventTail::EventTail(const std::string& connection, std::int64_t after, Deliver deliver, Lost lost, Watch& watch,
                     Doorbells& bells, Log log)
    : last_(after),
      deliver_(std::move(deliver)),
      lost_(std::move(lost)),
      watch_(watch),
      bells_(bells),
      log_(std::move(log)),
      session_(std::make_unique<Session>(connection)),
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

void EventTail::wait(int socket, int timeout_ms) {
  pollfd wakers[] = {{bell_, POLLIN, 0}, {socket, POLLIN, 0}};
  poll(wakers, 2, timeout_ms);
  std::uint64_t rings = 0;
  [[maybe_unused]] const auto got = read(bell_, &rings, sizeof rings);
}

// False: there may be more.
bool EventTail::deliver_new() {
  pqxx::work transaction(session_->open(std::chrono::steady_clock::now() + kReadStuckAfter));
  const auto events = read_events(transaction, last_, kBatch);
  const bool trimmed = events.empty() ? newest_event(transaction) > last_ && read_events(transaction, last_, 1).empty()
                                      : events.front().seq != last_ + 1;
  transaction.commit();
  session_->idle();
  if (trimmed) {
    gone_ = true;
    lost_();
    return true;
  }
  if (events.empty()) return true;
  if (fail_at("events.read")) throw pqxx::broken_connection();
  last_ = events.back().seq;
  deliver_(events);
  return events.size() < kBatch;
}

void EventTail::follow() {
  auto& connection = session_->open(std::chrono::steady_clock::now() + kReadStuckAfter);
  Listener listener(connection);
  while (!stopping_ && !gone_) {
    if (!connection.is_open()) throw pqxx::broken_connection();  // open() would replace it under the listener
    if (!deliver_new()) continue;
    wait(connection.sock(), 1000);
    connection.get_notifs();
  }
}

void EventTail::run() {
  for (int pause_ms = 50; !stopping_ && !gone_; pause_ms = std::min(pause_ms * 2, 2000)) {
    const std::int64_t before = last_;
    try {
      follow();
    } catch (const std::exception& error) {
      session_->close();
      if (stopping_) return;
      if (pause_ms == 50)
        log_(LogLevel::kWarn,
             fmt::format("msg=\"events are not followed for now\" after={} error=\"{}\"", last_, error.what()));
    }
    if (last_ != before) pause_ms = 50;
    if (!stopping_ && !gone_) wait(-1, pause_ms);
  }
}

}  // namespace emplace
