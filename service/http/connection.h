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
#include <string_view>

#include "service/http/framing.h"
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
  std::string output;
  std::size_t sent = 0;        // of output
  ReplyForm form;              // of the request in hand
  std::shared_ptr<Pipe> pipe;  // when it is answered by a stream
  // As counted among those of all connections: of the request in hand, and yet to be sent.
  std::size_t body_bytes = 0, unsent_bytes = 0;

  bool admitted = true;      // false: beyond the connection limit, told so and closed
  bool busy = false;         // a request is in the handler
  bool closing = false;      // nothing more is read as a request; ends when output is sent
  bool lingering = false;    // output is sent, our half is shut
  bool ended = false;        // the client's half is shut
  bool gone = false;         // the socket is closed
  bool wants_write = false;  // epoll watches for room to write

  Framer::State phase = Framer::State::kIdle;
  Clock::time_point since = Clock::now();       // start of the phase, or of lingering
  Clock::time_point progressed = Clock::now();  // last time the client took bytes

  std::size_t unsent() const { return output.size() - sent; }

  void queue(std::string_view bytes) {
    if (unsent() == 0) progressed = Clock::now();
    output.append(bytes);
    if (pipe) pipe->queued(bytes.size());
  }

  // Forgets what was sent once that is worth moving the rest. A connection may idle for long after a big answer: its
  // memory must not.
  void compact() {
    if (sent < output.size() && sent < 256 * 1024) return;
    output.erase(0, sent);
    sent = 0;
    if (output.empty() && output.capacity() > kKeptBytes) std::string().swap(output);
  }

  static constexpr std::size_t kKeptBytes = 4 * 1024;
};

}  // namespace emplace::http
