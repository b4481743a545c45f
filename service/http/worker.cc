#include "service/http/worker.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "service/core/base/shown_text.h"

namespace emplace::http {

namespace aio = Pistache::Aio;
namespace polling = Pistache::Polling;
namespace tcp = Pistache::Tcp;
using NotifyOn = polling::NotifyOn;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr int kLetterRounds = 16;
constexpr milliseconds kLinger{2'000};
constexpr milliseconds kDrainLinger{300};

std::string client_of(int fd) {
  sockaddr_storage address = {};
  socklen_t size = sizeof address;
  std::array<char, INET6_ADDRSTRLEN> text = {};
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  if (address.ss_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&address);
    ::inet_ntop(AF_INET, &in->sin_addr, text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(ntohs(in->sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&address);
    ::inet_ntop(AF_INET6, &in6->sin6_addr, text.data(), text.size());
    return "[" + std::string(text.data()) + "]:" + std::to_string(ntohs(in6->sin6_port));
  }
  return "unix";
}

}  // namespace

Worker::Worker(const std::shared_ptr<tcp::Handler>& gate, Shared& shared)
    : tcp::Transport(gate), shared_(shared), limits_(shared.limits), tally_(shared.tally), buffer_(kReadBytes) {}

Worker::~Worker() {
  mailbox_->close();
  if (timer_ >= 0) ::close(timer_);
  for (auto& [fd, seat] : seats_) {
    ::close(fd);
    forget(*seat.connection);
  }
}

std::shared_ptr<aio::Handler> Worker::clone() const {
  return std::make_shared<Worker>(std::make_shared<Gate>(), shared_);
}

void Worker::registerPoller(polling::Epoll& poller) {
  tcp::Transport::registerPoller(poller);
  timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer_ < 0) throw std::system_error(errno, std::generic_category(), "timerfd");
  const long tick_ns = tick().count() * 1'000'000L;
  const itimerspec every = {{0, tick_ns}, {0, tick_ns}};
  ::timerfd_settime(timer_, 0, &every, nullptr);
  for (const int fd : {mailbox_->fd(), timer_}) {
    poller.addFd(fd, Pistache::Flags<NotifyOn>(NotifyOn::Read), polling::Tag(static_cast<std::uint64_t>(fd)));
  }
}

// One event at a time, each in its own try: what one connection throws must not cost another its event, which comes
// only once (the sockets are edge-triggered).
void Worker::onReady(const aio::FdSet& events) {
  mailbox_->wake();
  for (const auto& event : events) guarded([&] { on_event(event); });
  for (int round = 0; round < kLetterRounds; ++round) {
    const auto letters = mailbox_->take();
    if (letters.empty()) break;
    for (const auto& letter : letters) guarded(letter);
  }
  mailbox_->rest();
}

void Worker::admit(const std::shared_ptr<tcp::Peer>& peer) {
  if (const auto stream = peer->tryGetData(kStreamKey)) {
    return take_over(peer, std::static_pointer_cast<Connection>(stream));
  }
  const int fd = peer->fd();
  auto connection = std::make_shared<Connection>(fd, limits_.framing);
  connection->admitted = !peer->tryGetData(kRefusedKey);
  seats_[fd] = {peer, connection};
  if (connection->admitted) {
    connection->client = client_of(fd);
    return;
  }
  // Later, because the socket joins epoll only after this.
  mailbox_->post([this, weak = std::weak_ptr(connection)] {
    act(weak, [this](const auto& c) { refuse(c, 503, "too many connections"); });
  });
}

void Gate::onConnection(const std::shared_ptr<tcp::Peer>& peer) { static_cast<Worker*>(transport())->admit(peer); }

void Worker::drain() {
  for (const auto& connection : all()) {
    act(connection, [&](const auto& c) {
      if (c->pipe) c->pipe->shut();
      if (c->pipe) return pump(c);
      advance(c);  // a request may lie unread
      if (is_idle(*c)) finish(c);
    });
  }
}

template <typename Event>
void Worker::on_event(const Event& event) {
  const auto fd = static_cast<int>(event.getTag().value());
  if (fd == mailbox_->fd()) return;
  if (fd == timer_) return sweep();
  const auto seat = seats_.find(fd);
  if (seat != seats_.end()) return on_socket(seat->second.connection, event.isHangup());
  if (!event.isReadable()) return;  // of a socket that was closed earlier in this turn
  polling::Event own(event.getTag());
  own.flags.setFlag(NotifyOn::Read);
  tcp::Transport::onReady(aio::FdSet({own}));  // Pistache's own queues: new peers
}

void Worker::on_socket(const std::weak_ptr<Connection>& weak, bool hung_up) {
  act(weak, [&](const auto& c) {
    if (hung_up) return drop(c);
    flush(c);
    advance(c);
  });
}

void Worker::drop(const std::shared_ptr<Connection>& c) {
  if (c->gone) return;
  leave(c);
  forget(*c);
}

// What the kernel still holds for the client goes too.
void Worker::reset(const std::shared_ptr<Connection>& c, std::string_view why) {
  if (shared_.log) {
    const auto waited = std::chrono::duration_cast<milliseconds>(Clock::now() - c->since);
    shared_.log("warn", fmt::format("event=client_dropped client={} unsent_bytes={} waited_ms={} why={}", c->client,
                                    c->output.size(), waited.count(), log_text(why)));
  }
  const ::linger hard = {1, 0};
  ::setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  drop(c);
}

// Gives up the seat, and closes the socket.
void Worker::leave(const std::shared_ptr<Connection>& c) {
  const auto seat = seats_.find(c->fd);
  const std::shared_ptr<tcp::Peer> peer = seat->second.peer;
  seats_.erase(seat);
  try {
    removePeer(peer);  // closes the socket
  } catch (const std::exception&) {
    ++tally_.exceptions;
    ::close(c->fd);
  }
  c->gone = true;
}

void Worker::forget(Connection& c) {
  c.gone = true;
  if (c.busy) --tally_.requests_now;
  if (c.pipe) --tally_.streams_now;
  if (c.admitted) --tally_.admitted_now;
  hold_body(c, 0);
  c.waiting.reset();
  if (c.pipe) guarded([&] { c.pipe->over(); });
  tally_.socket_closed();
}

bool Worker::is_idle(const Connection& c) const {
  return !c.gone && !c.busy && !c.pipe && !c.closing && c.input.empty() && c.output.size() == 0 &&
         c.phase == Framer::State::kIdle;
}

std::vector<std::shared_ptr<Connection>> Worker::all() const {
  std::vector<std::shared_ptr<Connection>> result;
  result.reserve(seats_.size());
  for (const auto& [fd, seat] : seats_) result.push_back(seat.connection);
  return result;
}

// Fine enough for the shortest timeout, seldom enough to cost nothing.
milliseconds Worker::tick() const {
  const int shortest = std::min({limits_.header_timeout_ms, limits_.body_timeout_ms, limits_.idle_timeout_ms,
                                 limits_.write_timeout_ms, static_cast<int>(kDrainLinger.count())});
  return milliseconds(std::clamp(shortest / 4, 5, 250));
}

void Worker::sweep() {
  std::uint64_t ticks = 0;
  [[maybe_unused]] const ssize_t bytes = ::read(timer_, &ticks, sizeof ticks);
  const auto now = Clock::now();
  for (const auto& connection : all()) act(connection, [&](const auto& c) { check_time(c, now); });
  if (streams_ == this && shared_.backlog.has_fallen()) ::malloc_trim(0);
}

void Worker::check_time(const std::shared_ptr<Connection>& c, Clock::time_point now) {
  const auto late = [now](Clock::time_point since, milliseconds limit) { return now - since > limit; };
  if (c->output.size() > 0) {
    if (late(c->progressed, milliseconds(limits_.write_timeout_ms))) drop_slow(c);
  } else if (c->lingering) {
    if (late(c->since, tally_.draining ? kDrainLinger : kLinger)) drop(c);
  } else if (c->busy || c->pipe) {
    return;  // the handler's time, and the stream's
  } else if (c->phase == Framer::State::kHeader) {
    if (late(c->since, milliseconds(limits_.header_timeout_ms))) refuse(c, 408, "the header took too long");
  } else if (c->phase == Framer::State::kBody) {
    if (late(c->since, milliseconds(limits_.body_timeout_ms))) refuse(c, 408, "the body took too long");
  } else if (late(c->since, tally_.draining ? kDrainLinger : milliseconds(limits_.idle_timeout_ms))) {
    ++tally_.idle_closed;
    finish(c);
  }
}

}  // namespace emplace::http
