#include "service/http/connection_line.h"

#include "service/http/worker.h"

namespace emplace::http {
namespace {

// The writers' end of a stream.
class WorkerStream : public Stream {
 public:
  WorkerStream(Desk desk, std::shared_ptr<Pipe> pipe, std::size_t limit)
      : desk_(std::move(desk)), pipe_(std::move(pipe)), limit_(limit) {}
  ~WorkerStream() override { finish(); }

  using Stream::write;
  bool write(Bytes bytes) override {
    if (bytes->empty()) return alive();
    const Pipe::Written written = pipe_->write(std::move(bytes), limit_);
    if (written == Pipe::Written::kRing) desk_.post([pipe = pipe_](Worker& worker) { worker.continue_stream(pipe); });
    return written != Pipe::Written::kClosed && alive();
  }

  void finish() override {
    if (pipe_->shut()) desk_.post([pipe = pipe_](Worker& worker) { worker.continue_stream(pipe); });
  }

  std::size_t unsent() const override { return pipe_->unsent(); }
  bool alive() const override { return pipe_->open(); }
  void on_close(std::function<void()> then) override { pipe_->on_close(std::move(then)); }

 private:
  const Desk desk_;
  const std::shared_ptr<Pipe> pipe_;
  const std::size_t limit_;
};

}  // namespace

ConnectionLine::ConnectionLine(Worker& worker, const std::shared_ptr<Connection>& connection)
    : desk_{&worker, worker.mailbox()},
      streams_{&worker.streams(), worker.streams().mailbox()},
      connection_(connection),
      form_(connection->form),
      stream_unsent_bytes_(worker.limits().stream_unsent_bytes) {}

void ConnectionLine::answer(Response response) {
  desk_.post([weak = connection_, response = std::move(response)](Worker& worker) mutable {
    if (!worker.act(weak, [&](const auto& c) { worker.answer(c, std::move(response)); })) worker.lose_answer();
  });
}

void ConnectionLine::abandoned() {
  answer(problem(500, "emplace.internal", "the request was left unanswered", form_.id, form_.openstack_shape));
}

std::shared_ptr<Stream> ConnectionLine::open(Response head) {
  auto pipe = std::make_shared<Pipe>();
  const bool posted = desk_.post([weak = connection_, pipe, head = std::move(head)](Worker& worker) {
    if (worker.act(weak, [&](const auto& c) { worker.start_stream(c, head, pipe); })) return;
    worker.lose_answer();
    pipe->over();
  });
  if (!posted) pipe->over();
  return std::make_shared<WorkerStream>(streams_, std::move(pipe), stream_unsent_bytes_);
}

}  // namespace emplace::http
