// Rows of `reservations`, and the events that tell every replica of them. Nothing waits for the disk here: what a crash
// loses would have ended by itself soon.
#pragma once

#include <pqxx/pqxx>
#include <set>
#include <string>
#include <vector>

#include "service/core/doors.h"

namespace emplace {

// One whose host is gone ends instead.
void write_reservations(pqxx::work& transaction, const std::vector<ReservedVm>& reserved, std::int64_t now_us);
void remove_reservations(pqxx::work& transaction, const std::vector<Uuid>& vms, std::int64_t now_us);
// Those of hosts or vms that are being removed; the caller appends their events.
std::vector<Change> forget_reservations(pqxx::work& transaction, const std::set<std::string>& hosts,
                                        const std::set<Uuid>& vms);
// How many there were.
std::int64_t expire_reservations(pqxx::work& transaction, std::int64_t now_us);
std::vector<Change> read_reservations(pqxx::work& transaction);

}  // namespace emplace
