// A Connection is what a worker knows of one client: where its request stands, what waits to be sent, since when.
//
// Its life:   open ( request -> busy -> answer )* closing lingering gone. After the last answer the sending half is
// shut and what still comes is read and dropped for a while: closing with unread input would make the kernel reset the
// connection, and the client lose an answer that says why (413).
//
// Threads: the worker's only. Others hold weak pointers, which they only carry back to the worker.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "service/http/backlog.h"
#include "service/http/framing.h"
#include "service/http/output.h"
#include "service/http/pipe.h"
#include "service/http/wire.h"

namespace emplace::http {

using Clock = std::chrono::steady_clock;

struct Connection {
  Connection(int socket, const FramingLimits& limits) : fd(socket), framer(limits) {}

  const int fd;
  std::string client;  // "address:port" or "unix"
  Framer framer;
  std::string input;  // read, but behind the request in hand
  Output output;
  ReplyForm form;                          // of the request in hand
  std::shared_ptr<Pipe> pipe;              // when it is answered by a stream
  std::size_t body_bytes = 0;              // of the request in hand, as counted among those of all connections
  std::unique_ptr<Backlog::Part> waiting;  // of its output, once a client took its time

  bool admitted = true;      // false: beyond the connection limit, told so and closed
  bool busy = false;         // a request is in the handler
  bool closing = false;      // nothing more is read as a request; ends when output is sent
  bool lingering = false;    // output is sent, our half is shut
  bool ended = false;        // the client's half is shut
  bool gone = false;         // the socket is closed
  bool wants_write = false;  // epoll watches for room to write

  Framer::State phase = Framer::State::kIdle;
  Clock::time_point since = Clock::now();       // start of the phase, or of lingering
  Clock::time_point progressed = Clock::now();  // last time the client had taken enough (note_sent)
  std::size_t taken = 0;                        // bytes since then

  template <typename Piece>
  void queue(Piece&& piece) {
    if (output.size() == 0) start_progress();
    output.push(std::forward<Piece>(piece));
  }

  // A client makes progress when it takes a decent piece, or all there is: one that takes byte by byte does not.
  void note_sent(std::size_t bytes) {
    taken += bytes;
    if (taken >= kProgressBytes || output.size() == 0) start_progress();
  }

  void start_progress() {
    progressed = Clock::now();
    taken = 0;
  }

  static constexpr std::size_t kProgressBytes = 64 * 1024;
};

}  // namespace emplace::http
