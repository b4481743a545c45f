#include <fcntl.h>

#include <cerrno>
#include <system_error>

#include "service/http/worker.h"

namespace emplace::http {
namespace {

void queue_piece(Connection& c, Bytes bytes) {
  static const Bytes kEnd = std::make_shared<const std::string>(kChunkEnd);
  if (!is_chunked(c.form)) return c.queue(std::move(bytes));
  c.queue(chunk_head(bytes->size()));
  c.queue(std::move(bytes));
  c.queue(kEnd);
}

}  // namespace

void Worker::start_stream(const std::shared_ptr<Connection>& c, const Response& head,
                          const std::shared_ptr<Pipe>& pipe) {
  c->pipe = pipe;
  ++tally_.streams_now;
  c->queue(stream_head_bytes(head, c->form, date()));
  if (!head.body.empty() && !c->form.head) queue_piece(*c, std::make_shared<const std::string>(head.body));
  release(*c);
  if (!c->form.head) return hand_over(c);
  pipe->shut();
  end_stream(c);
}

// To the worker that has all streams, under a second descriptor: Pistache closes the one that a worker gives up.
void Worker::hand_over(const std::shared_ptr<Connection>& c) {
  const int fd = ::fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "a stream's descriptor");
  const auto stream = std::make_shared<Connection>(fd, limits_.framing);
  stream->client = c->client;
  stream->admitted = c->admitted;
  stream->output = std::move(c->output);
  stream->form = c->form;
  stream->pipe = std::move(c->pipe);
  const auto peer = Pistache::Tcp::Peer::Create(fd, Pistache::Address());
  peer->putData(kStreamKey, stream);
  c->waiting.reset();
  leave(c);
  streams_->handleNewPeer(peer);
}

void Worker::take_over(const std::shared_ptr<Pistache::Tcp::Peer>& peer, const std::shared_ptr<Connection>& c) {
  seats_[c->fd] = {peer, c};
  c->pipe->connection = c;
  // Later, because the socket joins epoll only after this.
  mailbox_->post([this, weak = std::weak_ptr(c)] {
    act(weak, [this](const auto& live) {
      if (tally_.draining) live->pipe->shut();
      pump(live);
      advance(live);  // its end may have come before the stream began
    });
  });
}

void Worker::continue_stream(const std::shared_ptr<Pipe>& pipe) {
  act(pipe->connection, [this](const auto& c) { pump(c); });
}

void Worker::pump(const std::shared_ptr<Connection>& c) {
  if (c->pipe->cut()) return drop_slow(c);
  if (c->closing) return;
  const bool is_shut = !c->pipe->open();  // before the bytes: what was written before the end is in front of it
  for (Bytes& bytes : c->pipe->take()) queue_piece(*c, std::move(bytes));
  is_shut ? end_stream(c) : flush(c);
}

void Worker::end_stream(const std::shared_ptr<Connection>& c) {
  if (is_chunked(c->form) && !c->form.head) c->queue(std::string(kLastChunk));
  c->closing = true;
  flush(c);
}

}  // namespace emplace::http
