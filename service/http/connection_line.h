// A ConnectionLine is where an answer of this server goes: to the connection it was asked on, through its worker's
// mailbox. The worker is touched only by letters, which exist no longer than it does.
//
// Threads: any. Lifetime: may outlive the connection, the worker and the server; an answer is then lost.
#pragma once

#include <cstddef>
#include <memory>

#include "service/http/mailbox.h"
#include "service/http/reply.h"
#include "service/http/wire.h"

namespace emplace::http {

struct Connection;
class Worker;

class ConnectionLine : public Line {
 public:
  ConnectionLine(Worker& worker, const std::shared_ptr<Connection>& connection);
  void answer(Response response) override;
  std::shared_ptr<Stream> open(Response head) override;
  void abandoned() override;

 private:
  Worker& worker_;
  std::shared_ptr<Mailbox> mailbox_;
  std::weak_ptr<Connection> connection_;
  ReplyForm form_;
  std::size_t stream_unsent_bytes_;
};

}  // namespace emplace::http
