#include "service/wiring/recovery.h"

#include <fmt/format.h>

#include <chrono>

#include "service/core/base/shown_text.h"
#include "service/wiring/log.h"

namespace emplace {
namespace {

constexpr std::chrono::seconds kEvery{10};

// On the replica that leads.
void recover(Scheduler& scheduler, PostgresStore& store) {
  const Deadline deadline = std::chrono::steady_clock::now() + std::chrono::seconds(8);
  const auto lease = store.hold_lease("recover", 2 * kEvery.count(), deadline);
  if (!lease || !*lease) return;
  const Leading leading(**lease);
  if (const auto done = scheduler.recover(store, deadline); !done)
    log_line("warn", fmt::format("event=recover error={}", log_text(done.error().message)));
}

}  // namespace

Recovery::Recovery(Scheduler& scheduler, PostgresStore& store, http::LinePool& lines) {
  const auto round = [&] { lines.submit([&] { recover(scheduler, store); }); };
  QObject::connect(&timer_, &QTimer::timeout, round);
  timer_.start(kEvery);
  round();
}

}  // namespace emplace
