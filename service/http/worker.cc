#include "service/http/worker.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pistache/peer.h>
#include <pistache/reactor.h>
#include <pistache/transport.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "service/http/connection.h"
#include "service/http/mailbox.h"
#include "service/http/problem.h"

namespace emplace::http {
namespace {

namespace aio = Pistache::Aio;
namespace polling = Pistache::Polling;
namespace tcp = Pistache::Tcp;
using NotifyOn = polling::NotifyOn;
using std::chrono::milliseconds;

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kUnsentBytes = 256 * 1024;  // pipelined requests wait while this much of the answers before does
constexpr int kReadsPerTurn = 32;                 // of one connection, before the others get theirs
constexpr int kLetterRounds = 16;
constexpr milliseconds kLinger{2'000};
constexpr milliseconds kDrainLinger{300};
constexpr std::size_t kRefusedSockets = 128;  // beyond the limit that are told so; others are closed without a word
constexpr const char* kRefusedKey = "refused";

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

std::string_view code_of_refusal(int status) {
  switch (status) {
    case 408:
      return "emplace.http.timeout";
    case 413:
      return "emplace.http.body_too_large";
    case 414:
      return "emplace.http.target_too_long";
    case 417:
      return "emplace.http.expectation";
    case 431:
      return "emplace.http.header_too_large";
    case 501:
      return "emplace.http.transfer_encoding";
    case 503:
      return "emplace.http.too_many_connections";
    case 505:
      return "emplace.http.version";
    default:
      return "emplace.http.malformed";
  }
}

class Worker;

// Where an answer of this server goes: to the connection it was asked on, through its worker's mailbox. The worker is
// touched only by letters, which exist no longer than it does.
class ConnectionLine : public Line {
 public:
  ConnectionLine(Worker& worker, const std::shared_ptr<Connection>& connection);
  void answer(Response response) override;
  std::shared_ptr<Stream> open(Response head) override;
  void abandoned() override;

 private:
  Worker& worker_;
  std::shared_ptr<Mailbox> mailbox_;
  std::weak_ptr<Connection> connection_;
  Exchange exchange_;
  std::size_t stream_unsent_bytes_;
};

// Pistache tells a Handler of new sockets; input and disconnection never reach it, since the worker reads by itself.
class Gate : public tcp::Handler {
 public:
  std::shared_ptr<tcp::Handler> clone() const override { return std::make_shared<Gate>(); }
  void onInput(const char*, std::size_t, const std::shared_ptr<tcp::Peer>&) override {}
  void onConnection(const std::shared_ptr<tcp::Peer>& peer) override;
};

class Worker : public tcp::Transport {
 public:
  Worker(const std::shared_ptr<tcp::Handler>& gate, const Limits& limits, const http::Handler& handler, Tally& tally)
      : tcp::Transport(gate), limits_(limits), handler_(handler), tally_(tally), buffer_(kReadBytes) {}

  ~Worker() override {
    mailbox_->close();
    if (timer_ >= 0) ::close(timer_);
    for (auto& [fd, seat] : seats_) {
      ::close(fd);
      forget(*seat.connection);
    }
  }

  std::shared_ptr<aio::Handler> clone() const override {
    return std::make_shared<Worker>(std::make_shared<Gate>(), limits_, handler_, tally_);
  }

  const Limits& limits() const { return limits_; }
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

  void registerPoller(polling::Epoll& poller) override {
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
  void onReady(const aio::FdSet& events) override {
    mailbox_->wake();
    for (const auto& event : events) guarded([&] { on_event(event); });
    for (int round = 0; round < kLetterRounds; ++round) {
      const auto letters = mailbox_->take();
      if (letters.empty()) break;
      for (const auto& letter : letters) guarded(letter);
    }
    mailbox_->rest();
  }

  void admit(const std::shared_ptr<tcp::Peer>& peer) {
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

  void answer(const std::shared_ptr<Connection>& c, const Response& response) {
    c->exchange.keep_alive = c->exchange.keep_alive && !tally_.draining;
    c->queue(answer_bytes(response, c->exchange, date()));
    c->closing = !c->exchange.keep_alive;
    release(*c);
    flush(c);
    advance(c);
  }

  void start_stream(const std::shared_ptr<Connection>& c, const Response& head, const std::shared_ptr<Pipe>& pipe) {
    pipe->queued(c->unsent());
    c->pipe = pipe;
    ++tally_.streams_now;
    c->queue(stream_head_bytes(head, c->exchange, date()));
    if (!head.body.empty() && !c->exchange.head) c->queue(is_chunked(c->exchange) ? chunk_bytes(head.body) : head.body);
    release(*c);
    if (c->exchange.head || tally_.draining) return end_stream(c);
    flush(c);
  }

  // `bytes` were reserved in the pipe by who wrote them.
  void continue_stream(const std::shared_ptr<Connection>& c, std::string_view bytes) {
    if (c->closing || c->lingering) return;
    if (c->unsent() == 0) c->progressed = Clock::now();
    c->output.append(bytes);
    flush(c);
  }

  void end_stream(const std::shared_ptr<Connection>& c) {
    if (c->closing) return;
    c->pipe->shut();
    if (is_chunked(c->exchange) && !c->exchange.head) c->queue(kLastChunk);
    c->closing = true;
    flush(c);
  }

  void drop_slow(const std::shared_ptr<Connection>& c) {
    ++tally_.slow_closed;
    drop(c);
  }

  void lose_answer() { ++tally_.answers_lost; }

  // What a letter does to its connection, if that is still the one it was written to. False if it has gone.
  template <typename F>
  bool act(const std::weak_ptr<Connection>& weak, F&& f) {
    const auto c = weak.lock();
    if (!c || c->gone) return false;
    try {
      f(c);
    } catch (const std::exception&) {  // out of memory: half an answer is worse than none
      ++tally_.exceptions;
      drop(c);
    }
    return true;
  }

  void drain() {
    for (const auto& connection : all()) {
      act(connection, [&](const auto& c) {
        if (c->pipe) return end_stream(c);
        advance(c);  // a request may lie unread
        if (is_idle(*c)) finish(c);
      });
    }
  }

 private:
  struct Seat {
    std::shared_ptr<tcp::Peer> peer;
    std::shared_ptr<Connection> connection;
  };

  template <typename F>
  void guarded(F&& f) {
    try {
      f();
    } catch (const std::exception&) {
      ++tally_.exceptions;
    }
  }

  // Fine enough for the shortest timeout, seldom enough to cost nothing.
  milliseconds tick() const {
    const int shortest = std::min({limits_.header_timeout_ms, limits_.body_timeout_ms, limits_.idle_timeout_ms,
                                   limits_.write_timeout_ms, static_cast<int>(kDrainLinger.count())});
    return milliseconds(std::clamp(shortest / 4, 5, 250));
  }

  template <typename Event>
  void on_event(const Event& event) {
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

  void on_socket(const std::weak_ptr<Connection>& weak, bool hung_up) {
    act(weak, [&](const auto& c) {
      if (hung_up) return drop(c);
      flush(c);
      advance(c);
    });
  }

  // Reads, frames and hands out requests until there is nothing to read, or one is in the handler.
  void advance(const std::shared_ptr<Connection>& c) {
    for (int turn = 0; !c->gone; ++turn) {
      if (turn == kReadsPerTurn) return advance_later(c);
      if (c->closing || c->pipe) return drop_input(c);
      if (c->busy || c->unsent() > kUnsentBytes) return;
      if (!c->input.empty()) {
        const std::string input = std::exchange(c->input, {});
        feed(c, input);
      } else if (!read(c)) {
        return;
      }
    }
  }

  void advance_later(const std::shared_ptr<Connection>& c) {
    mailbox_->post([this, weak = std::weak_ptr(c)] { act(weak, [this](const auto& live) { advance(live); }); });
  }

  // Bytes read into buffer_; 0 at the client's end or for now. Drops a broken connection.
  std::size_t receive(const std::shared_ptr<Connection>& c) {
    for (;;) {
      const ssize_t count = ::recv(c->fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
      if (count > 0) return static_cast<std::size_t>(count);
      if (count == 0) c->ended = true;
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno != EAGAIN) drop(c);
      return 0;
    }
  }

  bool read(const std::shared_ptr<Connection>& c) {
    const std::size_t count = receive(c);
    if (c->gone) return false;
    if (c->ended) finish(c);
    if (count > 0) feed(c, std::string_view(buffer_.data(), count));
    return count > 0;
  }

  // Input after the last answer or during a stream has no meaning; it is read so that its end is seen.
  void drop_input(const std::shared_ptr<Connection>& c) {
    for (int turn = 0; turn < kReadsPerTurn; ++turn) {
      if (receive(c) > 0) continue;
      const bool was_client_last = c->ended && (c->unsent() == 0 || c->pipe);
      if (was_client_last) drop(c);
      return;
    }
    advance_later(c);
  }

  void feed(const std::shared_ptr<Connection>& c, std::string_view bytes) {
    while (!bytes.empty() && !c->busy && !c->closing) {
      bytes.remove_prefix(c->framer.feed(bytes));
      note_phase(*c);
      if (c->phase == Framer::State::kRefused) {
        const Refusal why = c->framer.refusal();
        return refuse(c, why.status, why.detail);
      }
      if (c->phase == Framer::State::kComplete) dispatch(c);
      if (c->phase == Framer::State::kBody && c->framer.take_continue()) {
        c->queue("HTTP/1.1 100 Continue\r\n\r\n");
        flush(c);
      }
    }
    if (!c->closing) c->input.append(bytes);
  }

  void note_phase(Connection& c) {
    const auto phase = c.framer.state();
    if (phase == c.phase) return;
    c.phase = phase;
    c.since = Clock::now();
  }

  void dispatch(const std::shared_ptr<Connection>& c) {
    auto request = std::make_shared<Request>(c->framer.take());
    request->id = ids_.next();
    request->client = c->client;
    const std::string* global = request->header("x-openstack-request-id");
    if (global && is_request_id(*global)) request->global_id = *global;
    c->exchange = {request->id, request->head(), request->keep_alive, wants_openstack_shape(*request),
                   request->minor_version};
    c->busy = true;
    ++tally_.requests;
    ++tally_.requests_now;
    const Reply reply(std::make_unique<ConnectionLine>(*this, c));
    try {
      handler_(std::move(request), reply);
    } catch (...) {  // the last catch at the border; the Reply's own 500 is the answer
      ++tally_.exceptions;
    }
  }

  // The request in hand is answered.
  void release(Connection& c) {
    c.busy = false;
    c.phase = c.framer.state();
    c.since = Clock::now();
    --tally_.requests_now;
  }

  void refuse(const std::shared_ptr<Connection>& c, int status, const std::string& detail) {
    tally_.refuse(status);
    Exchange exchange;
    exchange.id = ids_.next();
    Response response = problem(status, code_of_refusal(status), detail, exchange.id, false);
    if (status == 503) response.headers.emplace_back("Retry-After", "1");
    c->queue(answer_bytes(response, exchange, date()));
    finish(c);
    if (!c->gone) drop_input(c);
  }

  // Closes when what is queued has been sent.
  void finish(const std::shared_ptr<Connection>& c) {
    c->closing = true;
    c->input.clear();
    flush(c);
  }

  void flush(const std::shared_ptr<Connection>& c) {
    while (!c->gone && c->unsent() > 0) {
      const ssize_t count = ::send(c->fd, c->output.data() + c->sent, c->unsent(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return watch_for_room(*c);
      if (count < 0) return drop(c);
      c->sent += static_cast<std::size_t>(count);
      c->progressed = Clock::now();
      if (c->pipe) c->pipe->sent(static_cast<std::size_t>(count));
      c->compact();
    }
    if (c->closing && !c->gone && !c->lingering) linger(c);
  }

  void watch_for_room(Connection& c) {
    if (c.wants_write) return;
    c.wants_write = true;
    reactor()->modifyFd(key(), c.fd, NotifyOn::Read | NotifyOn::Write | NotifyOn::Shutdown, polling::Mode::Edge);
  }

  void linger(const std::shared_ptr<Connection>& c) {
    if (c->ended) return drop(c);
    c->lingering = true;
    c->since = Clock::now();
    ::shutdown(c->fd, SHUT_WR);
  }

  void drop(const std::shared_ptr<Connection>& c) {
    if (c->gone) return;
    const auto seat = seats_.find(c->fd);
    const std::shared_ptr<tcp::Peer> peer = seat->second.peer;
    seats_.erase(seat);
    try {
      removePeer(peer);  // closes the socket
    } catch (const std::exception&) {
      ++tally_.exceptions;
      ::close(c->fd);
    }
    forget(*c);
  }

  void forget(Connection& c) {
    c.gone = true;
    if (c.busy) --tally_.requests_now;
    if (c.pipe) --tally_.streams_now;
    if (c.admitted) --tally_.admitted_now;
    if (c.pipe) guarded([&] { c.pipe->over(); });
    tally_.socket_closed();
  }

  bool is_idle(const Connection& c) const {
    return !c.gone && !c.busy && !c.pipe && !c.closing && c.input.empty() && c.unsent() == 0 &&
           c.phase == Framer::State::kIdle;
  }

  std::vector<std::shared_ptr<Connection>> all() const {
    std::vector<std::shared_ptr<Connection>> result;
    result.reserve(seats_.size());
    for (const auto& [fd, seat] : seats_) result.push_back(seat.connection);
    return result;
  }

  void sweep() {
    std::uint64_t ticks = 0;
    [[maybe_unused]] const ssize_t bytes = ::read(timer_, &ticks, sizeof ticks);
    const auto now = Clock::now();
    for (const auto& connection : all()) act(connection, [&](const auto& c) { check_time(c, now); });
  }

  void check_time(const std::shared_ptr<Connection>& c, Clock::time_point now) {
    const auto late = [now](Clock::time_point since, milliseconds limit) { return now - since > limit; };
    if (c->unsent() > 0) {
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

  const std::string& date() {
    const long long now = ::time(nullptr);
    if (now != date_second_) date_ = http_date(date_second_ = now);
    return date_;
  }

  const Limits& limits_;
  const http::Handler& handler_;
  Tally& tally_;
  const std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  std::unordered_map<int, Seat> seats_;  // by descriptor
  std::vector<char> buffer_;
  RequestIds ids_;
  std::string date_;
  long long date_second_ = -1;
  int timer_ = -1;
};

void Gate::onConnection(const std::shared_ptr<tcp::Peer>& peer) { static_cast<Worker*>(transport())->admit(peer); }

// The writers' end of a stream.
class WorkerStream : public Stream {
 public:
  WorkerStream(Worker& worker, std::shared_ptr<Mailbox> mailbox, std::weak_ptr<Connection> connection,
               std::shared_ptr<Pipe> pipe, bool chunked, std::size_t limit)
      : worker_(worker),
        mailbox_(std::move(mailbox)),
        connection_(std::move(connection)),
        pipe_(std::move(pipe)),
        chunked_(chunked),
        limit_(limit) {}

  ~WorkerStream() override { finish(); }

  bool write(std::string_view bytes) override {
    if (bytes.empty()) return alive();
    std::string chunk = chunked_ ? chunk_bytes(bytes) : std::string(bytes);
    const auto room = pipe_->reserve(chunk.size(), limit_);
    if (room == Pipe::Room::kTooMuch) post([](Worker& worker, const auto& c) { worker.drop_slow(c); });
    if (room != Pipe::Room::kEnough) return false;
    return post([chunk = std::move(chunk)](Worker& worker, const auto& c) { worker.continue_stream(c, chunk); });
  }

  void finish() override {
    if (pipe_->shut()) post([](Worker& worker, const auto& c) { worker.end_stream(c); });
  }

  bool alive() const override { return pipe_->open(); }

  void on_close(std::function<void()> then) override { pipe_->on_close(std::move(then)); }

 private:
  template <typename F>
  bool post(F act) {
    return mailbox_->post([worker = &worker_, weak = connection_, act = std::move(act)] {
      worker->act(weak, [&](const auto& c) { act(*worker, c); });
    });
  }

  Worker& worker_;
  const std::shared_ptr<Mailbox> mailbox_;
  const std::weak_ptr<Connection> connection_;
  const std::shared_ptr<Pipe> pipe_;
  const bool chunked_;
  const std::size_t limit_;
};

ConnectionLine::ConnectionLine(Worker& worker, const std::shared_ptr<Connection>& connection)
    : worker_(worker),
      mailbox_(worker.mailbox()),
      connection_(connection),
      exchange_(connection->exchange),
      stream_unsent_bytes_(worker.limits().stream_unsent_bytes) {}

void ConnectionLine::answer(Response response) {
  mailbox_->post([worker = &worker_, weak = connection_, response = std::move(response)] {
    if (!worker->act(weak, [&](const auto& c) { worker->answer(c, response); })) worker->lose_answer();
  });
}

void ConnectionLine::abandoned() {
  answer(problem(500, "emplace.internal", "the request was left unanswered", exchange_.id, exchange_.openstack_shape));
}

std::shared_ptr<Stream> ConnectionLine::open(Response head) {
  auto pipe = std::make_shared<Pipe>();
  const bool posted = mailbox_->post([worker = &worker_, weak = connection_, pipe, head = std::move(head)] {
    if (worker->act(weak, [&](const auto& c) { worker->start_stream(c, head, pipe); })) return;
    worker->lose_answer();
    pipe->over();
  });
  if (!posted) pipe->over();
  return std::make_shared<WorkerStream>(worker_, mailbox_, connection_, std::move(pipe), is_chunked(exchange_),
                                        stream_unsent_bytes_);
}

}  // namespace

struct Workers::Loop {
  Loop(const Limits& limits, const http::Handler& handler, Tally& tally)
      : prototype(std::make_shared<Worker>(std::make_shared<Gate>(), limits, handler, tally)) {}

  std::shared_ptr<Worker> prototype;  // what the reactor clones, one for each thread
  std::unique_ptr<aio::Reactor> reactor;
  std::vector<std::shared_ptr<Worker>> workers;
  std::size_t next = 0;  // who gets the next socket
};

Workers::Workers(const Limits& limits, const Handler& handler, Tally& tally)
    : loop_(std::make_unique<Loop>(limits, handler, tally)), limits_(limits), tally_(tally) {}

Workers::~Workers() { stop(); }

void Workers::start() {
  loop_->reactor = std::make_unique<aio::Reactor>();
  loop_->reactor->init(aio::AsyncContext(std::max<std::size_t>(limits_.workers, 1), "emplace-http"));
  const auto key = loop_->reactor->addHandler(loop_->prototype);
  for (const auto& handler : loop_->reactor->handlers(key)) {
    loop_->workers.push_back(std::static_pointer_cast<Worker>(handler));
  }
  loop_->reactor->run();
}

void Workers::adopt(int fd) {
  if (tally_.sockets_now >= limits_.connections + kRefusedSockets) {
    tally_.refuse(503);
    ::close(fd);
    return;
  }
  const bool admitted = tally_.admitted_now < limits_.connections;
  ++tally_.sockets_now;
  if (admitted) ++tally_.connections;
  if (admitted) ++tally_.admitted_now;
  const auto peer = tcp::Peer::Create(fd, Pistache::Address());  // the worker asks the socket who it is
  if (!admitted) peer->putData(kRefusedKey, std::make_shared<bool>(true));
  loop_->workers[loop_->next++ % loop_->workers.size()]->handleNewPeer(peer);
}

void Workers::drain() {
  for (const auto& worker : loop_->workers) {
    worker->mailbox()->post([raw = worker.get()] { raw->drain(); });
  }
}

void Workers::stop() {
  if (!loop_->reactor) return;
  loop_->reactor->shutdown();
  loop_->reactor.reset();  // joins
  loop_->workers.clear();
}

}  // namespace emplace::http
