#include "service/http/workers.h"

#include <unistd.h>

#include <algorithm>
#include <vector>

#include "service/http/worker.h"

namespace emplace::http {

namespace aio = Pistache::Aio;
namespace tcp = Pistache::Tcp;

namespace {

constexpr std::size_t kRefusedSockets = 128;  // beyond the limit that are told so; others are closed without a word

}  // namespace

struct Workers::Loop {
  explicit Loop(Shared& shared) : prototype(std::make_shared<Worker>(std::make_shared<Gate>(), shared)) {}

  std::shared_ptr<Worker> prototype;  // what the reactor clones, one for each thread
  std::unique_ptr<aio::Reactor> reactor;
  std::vector<std::shared_ptr<Worker>> workers;
  std::shared_ptr<Worker> streams;
  std::size_t next = 0;  // who gets the next socket
};

Workers::Workers(Shared& shared) : loop_(std::make_unique<Loop>(shared)), shared_(shared) {}

Workers::~Workers() { stop(); }

void Workers::start() {
  loop_->reactor = std::make_unique<aio::Reactor>();
  loop_->reactor->init(aio::AsyncContext(std::max<std::size_t>(shared_.limits.workers, 1) + 1, "emplace-http"));
  const auto key = loop_->reactor->addHandler(loop_->prototype);
  for (const auto& handler : loop_->reactor->handlers(key)) {
    loop_->workers.push_back(std::static_pointer_cast<Worker>(handler));
  }
  loop_->streams = loop_->workers.back();
  loop_->workers.pop_back();
  for (const auto& worker : loop_->workers) worker->hand_streams_to(*loop_->streams);
  loop_->streams->hand_streams_to(*loop_->streams);
  loop_->reactor->run();
}

void Workers::adopt(int fd) {
  const Limits& limits = shared_.limits;
  Tally& tally = shared_.tally;
  if (tally.sockets_now >= limits.connections + kRefusedSockets) {
    tally.refuse(503);
    ::close(fd);
    return;
  }
  const bool admitted = tally.admitted_now < limits.connections;
  ++tally.sockets_now;
  if (admitted) ++tally.connections;
  if (admitted) ++tally.admitted_now;
  const auto peer = tcp::Peer::Create(fd, Pistache::Address());  // the worker asks the socket who it is
  if (!admitted) peer->putData(Worker::kRefusedKey, std::make_shared<bool>(true));
  loop_->workers[loop_->next++ % loop_->workers.size()]->handleNewPeer(peer);
}

void Workers::drain() {
  for (const auto& worker : loop_->workers) {
    worker->mailbox()->post([raw = worker.get()] { raw->drain(); });
  }
  loop_->streams->mailbox()->post([raw = loop_->streams.get()] { raw->drain(); });
}

void Workers::stop() {
  if (!loop_->reactor) return;
  loop_->reactor->shutdown();
  loop_->reactor.reset();  // joins
  loop_->workers.clear();
  loop_->streams.reset();
}

}  // namespace emplace::http
