#include "service/http/server.h"

#include <chrono>
#include <exception>

#include "service/http/acceptor.h"
#include "service/http/shared.h"
#include "service/http/workers.h"

namespace emplace::http {

struct Server::Parts {
  Parts(const Limits& limits, Handler handler, Log log, std::unique_ptr<Acceptor> given_acceptor)
      : shared{limits, std::move(handler), std::move(log)}, workers(shared), acceptor(std::move(given_acceptor)) {}

  Shared shared;
  Workers workers;
  std::unique_ptr<Acceptor> acceptor;
  std::once_flag stopped;
};

Result<std::unique_ptr<Server>> Server::start(const std::string& address, const Limits& limits, Handler handler,
                                              Log log) {
  auto acceptor = Acceptor::listen(address);
  if (!acceptor) return tl::unexpected(acceptor.error());
  try {
    auto parts = std::make_unique<Parts>(limits, std::move(handler), std::move(log), std::move(*acceptor));
    parts->workers.start();
    parts->acceptor->start([workers = &parts->workers](int fd) { workers->adopt(fd); });
    return std::unique_ptr<Server>(new Server(std::move(parts)));
  } catch (const std::exception& error) {  // threads, eventfds, timers
    return fail(ErrorCode::kUnavailable, std::string("http: ") + error.what());
  }
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() { stop(); }

int Server::port() const { return parts_->acceptor->port(); }

std::string Server::url() const { return parts_->acceptor->url(); }

Counters Server::counters() const {
  Counters counters = parts_->shared.counters();
  counters.accept_failures = parts_->acceptor->failures();
  return counters;
}

void Server::stop() {
  std::call_once(parts_->stopped, [this] {
    parts_->acceptor->stop();
    parts_->shared.tally.draining = true;
    parts_->workers.drain();
    parts_->shared.tally.wait_until_none(std::chrono::milliseconds(parts_->shared.limits.drain_timeout_ms));
    parts_->workers.stop();
  });
}

}  // namespace emplace::http
