// Events in the order of their commits: a transaction appends them last, under the lock of event_head's one row, so
// that the order of seq is the order of commits and no seq is missing. NOTIFY is the doorbell, the table holds the
// payload. Unless actors are given, one per change, the change is that of whom the thread works for (actor.h).
#pragma once

#include <pqxx/pqxx>
#include <span>
#include <string>
#include <vector>

#include "service/core/change/change.h"
#include "service/core/doors/store.h"

namespace emplace {

struct Appended {
  std::int64_t last_seq = 0;
  std::string transaction_id;
  int backend = 0;  // that did it
};

// Call it last in a transaction. No changes: the present end, and no transaction id or backend.
Appended append_events(pqxx::work& transaction, std::span<const Change> changes,
                       std::span<const std::string> actors = {});

// An event that is no change of the picture.
Appended append_event(pqxx::work& transaction, const std::string& kind, const std::string& payload);

std::vector<Event> read_events(pqxx::transaction_base& transaction, std::int64_t after, std::size_t limit);
std::int64_t newest_event(pqxx::transaction_base& transaction);

}  // namespace emplace
