// Rows of `reservations`, and the events that tell every replica of them. Nothing waits for the disk here: what a crash
// loses would have ended by itself soon.
#pragma once

#include <pqxx/pqxx>
#include <set>
#include <string>
#include <vector>

#include "service/core/change/change.h"
#include "service/core/doors/reservations.h"

namespace emplace {

// Both return the event_seq of the change. One whose host is gone ends instead. `now_us` is the time by the clock that
// the reservations' expiry was reckoned by; they are stored by the database's.
std::int64_t write_reservations(pqxx::work& transaction, const std::vector<ReservedVm>& reserved, std::int64_t now_us);
std::int64_t remove_reservations(pqxx::work& transaction, const std::vector<Uuid>& vms);
// Those of hosts or vms that are being removed; the caller appends their events.
std::vector<Change> forget_reservations(pqxx::work& transaction, const std::set<std::string>& hosts,
                                        const std::set<Uuid>& vms);
// How many there were.
std::int64_t expire_reservations(pqxx::work& transaction);
std::vector<Change> read_reservations(pqxx::work& transaction);

}  // namespace emplace
