#include "service/http/connection_line.h"

#include "service/http/worker.h"

namespace emplace::http {
namespace {

// The writers' end of a stream.
class WorkerStream : public Stream {
 public:
  WorkerStream(Worker& worker, std::shared_ptr<Mailbox> mailbox, std::weak_ptr<Connection> connection,
               std::shared_ptr<Pipe> pipe, bool chunked, std::size_t limit)
      : worker_(worker),
        mailbox_(std::move(mailbox)),
        connection_(std::move(connection)),
        pipe_(std::move(pipe)),
        chunked_(chunked),
        limit_(limit) {}

  ~WorkerStream() override { finish(); }

  bool write(std::string_view bytes) override {
    if (bytes.empty()) return alive();
    std::string chunk = chunked_ ? chunk_bytes(bytes) : std::string(bytes);
    const auto room = pipe_->reserve(chunk.size(), limit_);
    if (room == Pipe::Room::kTooMuch) post([](Worker& worker, const auto& c) { worker.drop_slow(c); });
    if (room != Pipe::Room::kEnough) return false;
    return post([chunk = std::move(chunk)](Worker& worker, const auto& c) { worker.continue_stream(c, chunk); });
  }

  void finish() override {
    if (pipe_->shut()) post([](Worker& worker, const auto& c) { worker.end_stream(c); });
  }

  bool alive() const override { return pipe_->open(); }

  void on_close(std::function<void()> then) override { pipe_->on_close(std::move(then)); }

 private:
  template <typename F>
  bool post(F act) {
    return mailbox_->post([worker = &worker_, weak = connection_, act = std::move(act)] {
      worker->act(weak, [&](const auto& c) { act(*worker, c); });
    });
  }

  Worker& worker_;
  const std::shared_ptr<Mailbox> mailbox_;
  const std::weak_ptr<Connection> connection_;
  const std::shared_ptr<Pipe> pipe_;
  const bool chunked_;
  const std::size_t limit_;
};

}  // namespace

ConnectionLine::ConnectionLine(Worker& worker, const std::shared_ptr<Connection>& connection)
    : worker_(worker),
      mailbox_(worker.mailbox()),
      connection_(connection),
      form_(connection->form),
      stream_unsent_bytes_(worker.limits().stream_unsent_bytes) {}

void ConnectionLine::answer(Response response) {
  mailbox_->post([worker = &worker_, weak = connection_, response = std::move(response)] {
    if (!worker->act(weak, [&](const auto& c) { worker->answer(c, response); })) worker->lose_answer();
  });
}

void ConnectionLine::abandoned() {
  answer(problem(500, "emplace.internal", "the request was left unanswered", form_.id, form_.openstack_shape));
}

std::shared_ptr<Stream> ConnectionLine::open(Response head) {
  auto pipe = std::make_shared<Pipe>();
  const bool posted = mailbox_->post([worker = &worker_, weak = connection_, pipe, head = std::move(head)] {
    if (worker->act(weak, [&](const auto& c) { worker->start_stream(c, head, pipe); })) return;
    worker->lose_answer();
    pipe->over();
  });
  if (!posted) pipe->over();
  return std::make_shared<WorkerStream>(worker_, mailbox_, connection_, std::move(pipe), is_chunked(form_),
                                        stream_unsent_bytes_);
}

}  // namespace emplace::http
