// The Workers are the threads that own connections. Each runs one of Pistache's event loops and, on it, all that
// happens to its connections: reading, framing, calling the handler, writing, timing out. One more worker gets no
// connections but those that became streams, so that many streams take no time from requests.
//
// Order: construct, start, adopt*, drain, stop. Threads: adopt from the acceptor's thread; the others from the owner's.
#pragma once

#include <memory>

#include "service/http/shared.h"

namespace emplace::http {

class Workers {
 public:
  explicit Workers(Shared& shared);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void start();

  // Takes over a connected, non-blocking socket.
  void adopt(int fd);

  // Closes idle connections, ends streams, lets requests that have begun finish.
  void drain();

  // Cuts what is left and ends the threads.
  void stop();

 private:
  struct Loop;
  std::unique_ptr<Loop> loop_;
  Shared& shared_;
};

}  // namespace emplace::http
