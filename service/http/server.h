// A Server listens on one address and turns every request into one call of a Handler.
//
// Below is Pistache's event loop (Aio::Reactor, Tcp::Transport, Tcp::Handler, Tcp::Peer); its HTTP layer is not used,
// and neither is its Tcp::Listener, which spins when descriptors run out, knows no unix sockets, and can't stop
// accepting without also stopping the workers that have requests to finish. Sockets are read and written here, on
// the worker thread that owns the connection: an answer from another thread is posted to that worker and finds the very
// same connection or none, never a newer one with the same descriptor.
//
// One request of a connection is in the handler at a time; pipelined ones wait, unread, so that answers keep their
// order and a client that doesn't read can't fill the memory. A client that has closed its sending half still gets its
// answer; on a stream it counts as gone.
//
// Order: start, then stop (or destruction). stop() drains: no new connections, idle ones closed, requests that have
// begun are finished and their connections closed, streams ended; what remains after drain_timeout_ms is cut.
//
// Answers that slow clients have yet to take hold a bounded amount of memory in all; over it the costliest are given
// up.
//
// Threads: one accepts, `workers` read, call the handler and write, one more writes streams. The handler runs on a
// worker: it answers at once or hands its Reply to another thread, and must not block. port, counters and stop may be
// called from any thread but a worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "service/core/base/result.h"
#include "service/http/framing.h"
#include "service/http/message.h"
#include "service/http/reply.h"

namespace emplace::http {

struct Limits {
  FramingLimits framing = {};
  std::size_t workers = 2;
  std::size_t connections = 10'000;  // beyond: 503 and closed
  std::size_t big_bodies = 32;       // of the largest size, that all requests in hand may have together: 503 and closed
  int header_timeout_ms = 10'000;    // from a request's first byte to the end of its header: 408
  int body_timeout_ms = 30'000;      // from there to the end of its body: 408
  int idle_timeout_ms = 75'000;      // between requests: closed
  int write_timeout_ms = 30'000;     // an answer or stream of which the client takes less than 64 KiB: closed
  int drain_timeout_ms = 10'000;
  std::size_t unsent_bytes = 256 * 1024 * 1024;   // of all answers that clients have yet to take (backlog.h)
  std::size_t stream_unsent_bytes = 1024 * 1024;  // a stream's backlog beyond which the client is disconnected
};

// Since the start, but for the *_now figures.
struct Counters {
  std::uint64_t connections = 0;
  std::uint64_t connections_now = 0;
  std::uint64_t requests = 0;
  std::uint64_t requests_now = 0;  // in handlers
  std::uint64_t streams_now = 0;
  std::uint64_t body_bytes_now = 0;      // of requests that come in or are in handlers; small ones are not counted
  std::uint64_t unsent_bytes_now = 0;    // of answers
  std::uint64_t answers_lost = 0;        // the client had gone
  std::uint64_t answers_dropped = 0;     // for the memory that they held while their clients took their time
  std::uint64_t idle_closed = 0;         // by idle_timeout_ms
  std::uint64_t slow_closed = 0;         // by write_timeout_ms or stream_unsent_bytes
  std::uint64_t accept_failures = 0;     // out of descriptors or memory
  std::uint64_t exceptions = 0;          // that reached the border: each one is a defect
  std::map<int, std::uint64_t> refused;  // by status: framing errors, timeouts, connections beyond the limit
};

using Handler = std::function<void(std::shared_ptr<const Request>, Reply)>;
// What happened, for the log: one key=value line.
using Log = std::function<void(std::string_view level, std::string line)>;

class Server {
 public:
  // `address`: "127.0.0.1:8790", "[::1]:0" (port 0 picks one), "localhost:8790" or "unix:/path". Errors: kInvalid for
  // an address that isn't one, kUnavailable if it can't be listened on.
  static Result<std::unique_ptr<Server>> start(const std::string& address, const Limits& limits, Handler handler,
                                               Log log = {});

  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int port() const;         // 0 for a unix socket
  std::string url() const;  // "http://127.0.0.1:8790", or "unix:/path"
  Counters counters() const;

  // Drains and ends all threads. Idempotent.
  void stop();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace emplace::http
