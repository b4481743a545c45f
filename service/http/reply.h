// A Reply is the right to answer one request, once, from any thread, now or later. A Stream is an answer whose end is
// not known yet: server-sent events.
//
// Calls:   send | stream     the first one counts, later ones do nothing. If the last copy of a Reply goes unanswered,
// the client gets a 500, so that a forgotten path can't hang a connection. If the client has gone, an answer is counted
// as lost and forgotten: never written to whoever has the socket's number now. A Reply may outlive the server.
//
// Threads: every method from any thread.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "service/http/message.h"

namespace emplace::http {

// Calls:   ( write )* finish   The last owner's release finishes too.
class Stream {
 public:
  virtual ~Stream() = default;

  // Queues bytes for the client (whole "data: ...\n\n", or a heartbeat ":\n\n"), which many streams may share. False
  // once the client has gone or the stream is finished; a client that leaves more than Limits::stream_unsent_bytes
  // unread is disconnected.
  virtual bool write(Bytes bytes) = 0;
  bool write(std::string_view bytes) { return write(std::make_shared<const std::string>(bytes)); }
  // Bytes written and not yet taken by the client.
  virtual std::size_t unsent() const = 0;
  virtual void finish() = 0;
  virtual bool alive() const = 0;

  // Calls `then` once when the stream is over, whoever ended it: on the connection's worker thread, or at once if it is
  // over already. One callback per stream; it must not block.
  virtual void on_close(std::function<void()> then) = 0;
};

// Where answers go: the server's connection, or a test.
class Line {
 public:
  virtual ~Line() = default;
  virtual void answer(Response response) = 0;
  virtual std::shared_ptr<Stream> open(Response head) = 0;
  virtual void abandoned() = 0;  // nobody answered and nobody can any more
};

class Reply {
 public:
  explicit Reply(std::unique_ptr<Line> line);

  // For tests of handlers, without a server: the answer goes to `take` (a 500 if abandoned); stream() gives null.
  static Reply to(std::function<void(Response)> take);

  // A Reply to the same request whose answer, or head of a stream, goes through `edit` first.
  Reply through(std::function<void(Response&)> edit) const;

  // False if this request was answered before.
  bool send(Response response) const;

  // Starts a streamed answer: status, content type and headers of `head`; its body is sent as the first bytes. Null if
  // this request was answered before. The connection is closed after the stream.
  std::shared_ptr<Stream> stream(Response head) const;

 private:
  class Ticket;
  std::shared_ptr<Ticket> ticket_;
};

}  // namespace emplace::http
