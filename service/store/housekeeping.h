// Retention, and what a restart must find: statements on a transaction of the caller's.
#pragma once

#include <pqxx/pqxx>
#include <vector>

#include "service/core/doors/store.h"
#include "service/store/postgres_store.h"

namespace emplace {

// How long rows are kept, in microseconds: answers and claims since they expired.
struct Retention {
  std::int64_t decisions_us, events_us, answers_us, claims_us;
};
// Deletes some of what is old.
void delete_old(pqxx::work& transaction, const Retention& retention);

std::vector<StoredVm> read_stored_vms(pqxx::work& transaction);

}  // namespace emplace
