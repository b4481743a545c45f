// A Framer cuts a byte stream into HTTP/1.1 requests, or says why it will not. It does no I/O and knows no sockets.
//
// Calls, per connection:   ( feed+ [take_continue] take )*   until state() is kRefused, after which the connection must
// be answered with refusal() and closed: what follows a refused request can't be trusted to be the start of a request.
//
// The parser below is Boost.Beast's I/O-free one. It is asked a second opinion only on whole pieces (a header, a chunk
// line, a piece of body, a trailer section) that were cut and checked here first, because Beast 1.74 accepts messages
// that proxies read differently (request smuggling): repeated Content-Length or Host, "2, 2", obs-fold, unknown
// transfer codings; and does not bound chunk lines and trailers. Both must agree.
//
// Refused: 400 for anything malformed (bare LF or CR, obs-fold, not exactly one Host in HTTP/1.1, Content-Length that
// is repeated or not digits only, Content-Length with Transfer-Encoding, bad chunks, bad escapes, %00 and other control
// characters, paths that are not UTF-8); 413 body over the limit, before any of it is read; 414 target over the limit;
// 417 unknown Expect; 431 header or trailers over their limit; 501 a Transfer-Encoding other than exactly
// "chunked"; 505 another version than 1.0 and 1.1.
//
// The outcome depends on the bytes alone, never on how they were split over calls of feed.
//
// Threads: none of its own, one at a time per object. Complexity: linear in the bytes fed.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "service/http/message.h"

namespace emplace::http {

struct FramingLimits {
  std::size_t header_bytes = 16 * 1024;  // request line and fields, with line ends
  std::size_t header_fields = 128;
  std::size_t target_bytes = 8 * 1024;
  std::size_t body_bytes = 8 * 1024 * 1024;
  std::size_t chunk_line_bytes = 256;    // with its line end
  std::size_t trailer_bytes = 4 * 1024;  // all trailer lines together
};

struct Refusal {
  int status = 0;
  std::string detail;
};

class Framer {
 public:
  enum class State {
    kIdle,      // between requests: not a byte of the next one has come
    kHeader,    // in a request's header
    kBody,      // header done, body awaited
    kComplete,  // take() has a request
    kRefused,   // refusal() says why; final
  };

  explicit Framer(const FramingLimits& limits = {});
  ~Framer();
  Framer(Framer&&) noexcept;
  Framer& operator=(Framer&&) noexcept;

  // Takes bytes up to the end of one request and returns how many it took; the rest belongs to the next request and is
  // fed again after take(). Takes nothing when complete or refused.
  std::size_t feed(std::string_view bytes);

  State state() const;

  // What is held of the body of the request in hand.
  std::size_t body_bytes() const;

  // True once per request, when the client waits for "100 Continue" before it sends the body.
  bool take_continue();

  // Precondition: kComplete. The request (without id, global_id and client); the state is kIdle again.
  Request take();

  // Precondition: kRefused.
  const Refusal& refusal() const;

 private:
  class Cutter;
  std::unique_ptr<Cutter> cutter_;
};

}  // namespace emplace::http
