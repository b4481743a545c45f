// Shared is what the threads of one server have in common. It outlives them.
//
// Threads: any; the tally and the backlog guard themselves, the rest never changes.
#pragma once

#include "service/http/backlog.h"
#include "service/http/server.h"
#include "service/http/tally.h"

namespace emplace::http {

struct Shared {
  const Limits limits;
  const Handler handler;
  const Log log;
  Tally tally = {};
  Backlog backlog{limits.unsent_bytes};

  Counters counters() const {
    Counters now = tally.counters();
    now.unsent_bytes_now = backlog.bytes();
    return now;
  }
};

}  // namespace emplace::http
