// Recovery: every ten seconds one replica finishes what stopped services left behind.
//
// Threads: the main one, whose event loop it needs; the work is done on the lines.
#pragma once

#include <QTimer>

#include "service/core/act/scheduler.h"
#include "service/rest/line_pool.h"
#include "service/store/postgres_store.h"

namespace emplace {

class Recovery {
 public:
  Recovery(Scheduler& scheduler, PostgresStore& store, http::LinePool& lines);

 private:
  QTimer timer_;
};

}  // namespace emplace
