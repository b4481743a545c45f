#include <sys/socket.h>

#include <cerrno>
#include <ctime>

#include "service/http/worker.h"

namespace emplace::http {
namespace {

namespace polling = Pistache::Polling;
using NotifyOn = polling::NotifyOn;

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

// In place of an answer, when clients that take theirs slowly fill the memory.
Response too_much_unsent(const ReplyForm& form) {
  Response response = problem(503, "emplace.http.too_much_unsent", "too many large answers wait for their clients",
                              form.id, form.openstack_shape);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace

void Worker::answer(const std::shared_ptr<Connection>& c, const Response& response) {
  c->form.keep_alive = c->form.keep_alive && !tally_.draining;
  const std::size_t bytes = response.body.size();
  const bool fits = bytes <= kSmallBody || tally_.unsent_bytes_now + bytes <= limits_.unsent_bytes;
  c->queue(answer_bytes(fits ? response : too_much_unsent(c->form), c->form, date()));
  c->closing = !c->form.keep_alive;
  release(*c);
  flush(c);
  advance(c);
}

void Worker::start_stream(const std::shared_ptr<Connection>& c, const Response& head,
                          const std::shared_ptr<Pipe>& pipe) {
  pipe->queued(c->unsent());
  c->pipe = pipe;
  ++tally_.streams_now;
  c->queue(stream_head_bytes(head, c->form, date()));
  if (!head.body.empty() && !c->form.head) c->queue(is_chunked(c->form) ? chunk_bytes(head.body) : head.body);
  release(*c);
  if (c->form.head || tally_.draining) return end_stream(c);
  flush(c);
  advance(c);  // its end may have come before the stream began
}

void Worker::continue_stream(const std::shared_ptr<Connection>& c, std::string_view bytes) {
  if (c->closing || c->lingering) return;
  if (c->unsent() == 0) c->progressed = Clock::now();
  c->output.append(bytes);
  flush(c);
}

void Worker::end_stream(const std::shared_ptr<Connection>& c) {
  if (c->closing) return;
  c->pipe->shut();
  if (is_chunked(c->form) && !c->form.head) c->queue(kLastChunk);
  c->closing = true;
  flush(c);
}

void Worker::drop_slow(const std::shared_ptr<Connection>& c) {
  ++tally_.slow_closed;
  drop(c);
}

void Worker::refuse(const std::shared_ptr<Connection>& c, int status, const std::string& detail,
                    std::string_view code) {
  tally_.refuse(status);
  ReplyForm form;
  form.id = ids_.next();
  Response response = problem(status, code.empty() ? code_of_refusal(status) : code, detail, form.id, false);
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  c->queue(answer_bytes(response, form, date()));
  c->framer = Framer(limits_.framing);  // gives back what there is of a body
  hold_body(*c, 0);
  finish(c);
  if (!c->gone) drop_input(c);
}

// Closes when what is queued has been sent.
void Worker::finish(const std::shared_ptr<Connection>& c) {
  c->closing = true;
  c->input.clear();
  flush(c);
}

void Worker::flush(const std::shared_ptr<Connection>& c) {
  send(c);
  if (c->gone) return;
  count_unsent(*c, c->unsent());
  if (c->unsent() > 0) return watch_for_room(*c);
  if (c->closing && !c->lingering) linger(c);
}

// As much as the kernel takes.
void Worker::send(const std::shared_ptr<Connection>& c) {
  while (!c->gone && c->unsent() > 0) {
    const ssize_t count = ::send(c->fd, c->output.data() + c->sent, c->unsent(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return drop(c);
    c->sent += static_cast<std::size_t>(count);
    c->progressed = Clock::now();
    if (c->pipe) c->pipe->sent(static_cast<std::size_t>(count));
    c->compact();
  }
}

void Worker::count_unsent(Connection& c, std::size_t bytes) {
  if (bytes == c.unsent_bytes) return;
  tally_.unsent_bytes_now += bytes - c.unsent_bytes;
  c.unsent_bytes = bytes;
}

void Worker::watch_for_room(Connection& c) {
  if (c.wants_write) return;
  c.wants_write = true;
  reactor()->modifyFd(key(), c.fd, NotifyOn::Read | NotifyOn::Write | NotifyOn::Shutdown, polling::Mode::Edge);
}

void Worker::linger(const std::shared_ptr<Connection>& c) {
  if (c->ended) return drop(c);
  c->lingering = true;
  c->since = Clock::now();
  ::shutdown(c->fd, SHUT_WR);
}

const std::string& Worker::date() {
  const long long now = ::time(nullptr);
  if (now != date_second_) date_ = http_date(date_second_ = now);
  return date_;
}

}  // namespace emplace::http
