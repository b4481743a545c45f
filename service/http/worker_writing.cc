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

// In place of an answer that no connection may hold.
Response too_large(const ReplyForm& form, std::size_t bytes, std::size_t limit) {
  return problem(503, "emplace.http.answer_too_large",
                 "wanted an answer of at most " + std::to_string(limit) + " bytes (limits.answers_mib), found one of " +
                     std::to_string(bytes),
                 form.id, form.openstack_shape);
}

}  // namespace

void Worker::answer(const std::shared_ptr<Connection>& c, Response response) {
  c->form.keep_alive = c->form.keep_alive && !tally_.draining;
  const std::size_t bytes = response.body.size();
  if (bytes > limits_.unsent_bytes) response = too_large(c->form, bytes, limits_.unsent_bytes);
  c->queue(answer_head_bytes(response, c->form, date()));
  if (sends_body(response, c->form)) c->queue(std::move(response.body));
  c->closing = !c->form.keep_alive;
  release(*c);
  flush(c);
  advance(c);
}

void Worker::refuse(const std::shared_ptr<Connection>& c, int status, const std::string& detail,
                    std::string_view code) {
  tally_.refuse(status);
  ReplyForm form;
  form.id = ids_.next();
  Response response = problem(status, code.empty() ? code_of_refusal(status) : code, detail, form.id, false);
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  c->queue(answer_head_bytes(response, form, date()));
  c->queue(std::move(response.body));
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
  note_unsent(c);
  if (c->output.size() > 0) return watch_for_room(*c);
  if (c->closing && !c->lingering) linger(c);
}

// As much as the kernel takes.
void Worker::send(const std::shared_ptr<Connection>& c) {
  while (!c->gone && c->output.size() > 0) {
    const ssize_t count = c->output.send(c->fd);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return drop(c);
    c->note_sent(static_cast<std::size_t>(count));
  }
}

// A stream has a bound of its own, and shares what it waits with.
void Worker::note_unsent(const std::shared_ptr<Connection>& c) {
  if (c->pipe) return c->pipe->note_unsent(c->output.size());
  if (c->output.size() == 0) return c->waiting.reset();
  if (!c->waiting) {
    const auto give_up = [this, mailbox = mailbox_, weak = std::weak_ptr(c)] {
      mailbox->post([this, weak] { act(weak, [this](const auto& live) { drop_costly(live); }); });
    };
    c->waiting = std::make_unique<Backlog::Part>(shared_.backlog, give_up);
  }
  c->waiting->hold(c->output.held(), Clock::now());
}

void Worker::drop_slow(const std::shared_ptr<Connection>& c) {
  ++tally_.slow_closed;
  reset(c, "it takes its answer too slowly");
}

void Worker::drop_costly(const std::shared_ptr<Connection>& c) {
  ++tally_.answers_dropped;
  reset(c, "answers that wait for their clients hold more than limits.answers_mib");
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
