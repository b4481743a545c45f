// A ConnectionLine is where an answer of this server goes: to the connection it was asked on, through its worker's
// mailbox. The workers are touched only by letters, which exist no longer than they do.
//
// Threads: any. Lifetime: may outlive the connection, the workers and the server; an answer is then lost.
#pragma once

#include <cstddef>
#include <memory>

#include "service/http/mailbox.h"
#include "service/http/reply.h"
#include "service/http/wire.h"

namespace emplace::http {

struct Connection;
class Worker;

// A worker from outside: what is posted runs on its thread, or never.
struct Desk {
  Worker* worker;
  std::shared_ptr<Mailbox> mailbox;

  template <typename F>
  bool post(F act) const {
    return mailbox->post([raw = worker, act = std::move(act)]() mutable { act(*raw); });
  }
};

class ConnectionLine : public Line {
 public:
  ConnectionLine(Worker& worker, const std::shared_ptr<Connection>& connection);
  void answer(Response response) override;
  std::shared_ptr<Stream> open(Response head) override;
  void abandoned() override;

 private:
  const Desk desk_;
  const Desk streams_;  // whose connection it is once it has become a stream
  const std::weak_ptr<Connection> connection_;
  const ReplyForm form_;
  const std::size_t stream_unsent_bytes_;
};

}  // namespace emplace::http
