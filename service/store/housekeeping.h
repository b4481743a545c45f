// Leases, retention, and what a restart must find: statements on a transaction of the caller's.
#pragma once

#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "service/core/doors/store.h"
#include "service/store/postgres_store.h"

namespace emplace {

std::optional<Lease> take_lease(pqxx::work& transaction, const std::string& name, const std::string& holder,
                                std::int64_t ttl_s);

// How long rows are kept, in microseconds: answers and claims since they expired.
struct Retention {
  std::int64_t decisions_us, events_us, answers_us, claims_us;
};
// Deletes some of what is old; false when the lease's fence is no longer the newest, and then nothing is deleted.
bool delete_old(pqxx::work& transaction, const Lease& lease, const Retention& retention);

std::vector<StoredVm> read_stored_vms(pqxx::work& transaction);

}  // namespace emplace
