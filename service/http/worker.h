// A Worker is one thread's event loop and the connections that it owns: it reads, frames, calls the handler, writes and
// times out. It is a Pistache Transport, of which it uses the loop, the queue of new peers and the closing of sockets.
// Internal to the workers (workers.h): whoever else has something for a connection posts a letter to its worker.
//
//   worker.cc          events, one at a time; coming and going of connections; time
//   worker_reading.cc  bytes -> requests -> handler
//   worker_writing.cc  answers -> bytes
//   worker_streams.cc  streams -> bytes, on the one worker that has all of them
//
// Threads: all of it on the worker's own, but for limits() and mailbox().
#pragma once

#include <pistache/peer.h>
#include <pistache/reactor.h>
#include <pistache/transport.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "service/http/connection.h"
#include "service/http/mailbox.h"
#include "service/http/problem.h"
#include "service/http/shared.h"

namespace emplace::http {

// Pistache tells a Handler of new sockets; input and disconnection never reach it, since the worker reads by itself.
class Gate : public Pistache::Tcp::Handler {
 public:
  std::shared_ptr<Pistache::Tcp::Handler> clone() const override { return std::make_shared<Gate>(); }
  void onInput(const char*, std::size_t, const std::shared_ptr<Pistache::Tcp::Peer>&) override {}
  void onConnection(const std::shared_ptr<Pistache::Tcp::Peer>& peer) override;
};

// Bodies of requests that are let through whatever the memory that others hold.
inline constexpr std::size_t kSmallBody = 64 * 1024;

class Worker : public Pistache::Tcp::Transport {
 public:
  // What a peer carries that is beyond the connection limit, and one that has become a stream.
  static constexpr const char* kRefusedKey = "refused";
  static constexpr const char* kStreamKey = "stream";

  Worker(const std::shared_ptr<Pistache::Tcp::Handler>& gate, Shared& shared);
  ~Worker() override;

  std::shared_ptr<Pistache::Aio::Handler> clone() const override;
  void registerPoller(Pistache::Polling::Epoll& poller) override;
  void onReady(const Pistache::Aio::FdSet& events) override;

  const Limits& limits() const { return limits_; }
  Worker& streams() const { return *streams_; }
  // Before the loop runs.
  void hand_streams_to(Worker& streams) { streams_ = &streams; }
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

  void admit(const std::shared_ptr<Pistache::Tcp::Peer>& peer);
  void drain();

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

  void answer(const std::shared_ptr<Connection>& c, Response response);
  void lose_answer() { ++tally_.answers_lost; }
  void start_stream(const std::shared_ptr<Connection>& c, const Response& head, const std::shared_ptr<Pipe>& pipe);
  // Of the worker that has the streams: writes what is in the pipe, and the end if it is shut; cuts
  // off a client that fell behind.
  void continue_stream(const std::shared_ptr<Pipe>& pipe);

 private:
  struct Seat {
    std::shared_ptr<Pistache::Tcp::Peer> peer;
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

  // events, connections, time
  template <typename Event>
  void on_event(const Event& event);
  void on_socket(const std::weak_ptr<Connection>& weak, bool hung_up);
  void drop(const std::shared_ptr<Connection>& c);
  void reset(const std::shared_ptr<Connection>& c, std::string_view why);
  void leave(const std::shared_ptr<Connection>& c);
  void forget(Connection& c);
  bool is_idle(const Connection& c) const;
  std::vector<std::shared_ptr<Connection>> all() const;
  std::chrono::milliseconds tick() const;
  void sweep();
  void check_time(const std::shared_ptr<Connection>& c, Clock::time_point now);

  // reading
  void advance(const std::shared_ptr<Connection>& c);
  void advance_later(const std::shared_ptr<Connection>& c);
  std::size_t receive(const std::shared_ptr<Connection>& c);
  bool read(const std::shared_ptr<Connection>& c);
  void drop_input(const std::shared_ptr<Connection>& c);
  void feed(const std::shared_ptr<Connection>& c, std::string_view bytes);
  void note_phase(Connection& c);
  bool hold_body(Connection& c, std::size_t bytes);
  void dispatch(const std::shared_ptr<Connection>& c);
  void release(Connection& c);

  // writing
  // `code`: empty for the status's own.
  void refuse(const std::shared_ptr<Connection>& c, int status, const std::string& detail, std::string_view code = {});
  void finish(const std::shared_ptr<Connection>& c);
  void flush(const std::shared_ptr<Connection>& c);
  void send(const std::shared_ptr<Connection>& c);
  void note_unsent(const std::shared_ptr<Connection>& c);
  void drop_slow(const std::shared_ptr<Connection>& c);
  void drop_costly(const std::shared_ptr<Connection>& c);
  void watch_for_room(Connection& c);
  void linger(const std::shared_ptr<Connection>& c);
  const std::string& date();

  // streams
  void hand_over(const std::shared_ptr<Connection>& c);
  void take_over(const std::shared_ptr<Pistache::Tcp::Peer>& peer, const std::shared_ptr<Connection>& c);
  void pump(const std::shared_ptr<Connection>& c);
  void end_stream(const std::shared_ptr<Connection>& c);

  Shared& shared_;
  const Limits& limits_;
  Tally& tally_;
  Worker* streams_ = nullptr;
  const std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  std::unordered_map<int, Seat> seats_;  // by descriptor
  std::vector<char> buffer_;
  RequestIds ids_;
  std::string date_;
  long long date_second_ = -1;
  int timer_ = -1;
};

}  // namespace emplace::http
