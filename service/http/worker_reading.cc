#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "service/http/connection_line.h"
#include "service/http/worker.h"

namespace emplace::http {
namespace {

constexpr std::size_t kUnsentBytes = 256 * 1024;  // pipelined requests wait while this much of the answers before does
constexpr int kReadsPerTurn = 32;                 // of one connection, before the others get theirs

}  // namespace

// Reads, frames and hands out requests until there is nothing to read, or one is in the handler.
void Worker::advance(const std::shared_ptr<Connection>& c) {
  for (int turn = 0; !c->gone; ++turn) {
    if (turn == kReadsPerTurn) return advance_later(c);
    if (c->closing || c->pipe) return drop_input(c);
    if (c->busy || c->output.size() > kUnsentBytes) return;
    if (!c->input.empty()) {
      const std::string input = std::exchange(c->input, {});
      feed(c, input);
    } else if (!read(c)) {
      return;
    }
  }
}

void Worker::advance_later(const std::shared_ptr<Connection>& c) {
  mailbox_->post([this, weak = std::weak_ptr(c)] { act(weak, [this](const auto& live) { advance(live); }); });
}

// Bytes read into buffer_; 0 at the client's end or for now. Drops a broken connection.
std::size_t Worker::receive(const std::shared_ptr<Connection>& c) {
  for (;;) {
    const ssize_t count = ::recv(c->fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0) c->ended = true;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN) drop(c);
    return 0;
  }
}

bool Worker::read(const std::shared_ptr<Connection>& c) {
  const std::size_t count = receive(c);
  if (c->gone) return false;
  if (c->ended) finish(c);
  if (count > 0) feed(c, std::string_view(buffer_.data(), count));
  return count > 0;
}

// Input after the last answer or during a stream has no meaning; it is read so that its end is seen.
void Worker::drop_input(const std::shared_ptr<Connection>& c) {
  for (int turn = 0; turn < kReadsPerTurn; ++turn) {
    if (receive(c) > 0) continue;
    const bool was_client_last = c->ended && (c->output.size() == 0 || c->pipe);
    if (was_client_last) drop(c);
    return;
  }
  advance_later(c);
}

void Worker::feed(const std::shared_ptr<Connection>& c, std::string_view bytes) {
  while (!bytes.empty() && !c->busy && !c->closing) {
    bytes.remove_prefix(c->framer.feed(bytes));
    note_phase(*c);
    if (c->phase == Framer::State::kRefused) {
      const Refusal why = c->framer.refusal();
      return refuse(c, why.status, why.detail);
    }
    if (!hold_body(*c, c->framer.body_bytes())) {
      return refuse(c, 503, "too many large bodies at once", "emplace.http.too_many_bodies");
    }
    if (c->phase == Framer::State::kComplete) dispatch(c);
    if (c->phase == Framer::State::kBody && c->framer.take_continue()) {
      c->queue("HTTP/1.1 100 Continue\r\n\r\n");
      flush(c);
    }
  }
  if (!c->closing) c->input.append(bytes);
}

void Worker::note_phase(Connection& c) {
  const auto phase = c.framer.state();
  if (phase == c.phase) return;
  c.phase = phase;
  c.since = Clock::now();
}

// A body is read before its token can be looked at, so that anybody could fill the memory by beginning many. Small
// bodies are let through whatever the others do: they are what places vms. False when there is no room.
bool Worker::hold_body(Connection& c, std::size_t bytes) {
  const std::size_t counted = bytes > kSmallBody ? bytes : 0;
  if (counted == c.body_bytes) return true;
  const std::uint64_t all = tally_.body_bytes_now += counted - c.body_bytes;
  const bool grows = counted > c.body_bytes;
  c.body_bytes = counted;
  return !grows || all <= limits_.big_bodies * limits_.framing.body_bytes;
}

void Worker::dispatch(const std::shared_ptr<Connection>& c) {
  auto request = std::make_shared<Request>(c->framer.take());
  request->id = ids_.next();
  request->client = c->client;
  const std::string* global = request->header("x-openstack-request-id");
  if (global && is_request_id(*global)) request->global_id = *global;
  c->form = {request->id, request->head(), request->keep_alive, wants_openstack_shape(*request),
             request->minor_version};
  c->busy = true;
  ++tally_.requests;
  ++tally_.requests_now;
  const Reply reply(std::make_unique<ConnectionLine>(*this, c));
  try {
    shared_.handler(std::move(request), reply);
  } catch (...) {  // the last catch at the border; the Reply's own 500 is the answer
    ++tally_.exceptions;
  }
}

// The request in hand is answered.
void Worker::release(Connection& c) {
  c.busy = false;
  hold_body(c, 0);
  c.phase = c.framer.state();
  c.since = Clock::now();
  --tally_.requests_now;
}

}  // namespace emplace::http
