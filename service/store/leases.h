// Leases: which replica leads a job, by the database's clock, which is one for all replicas. Statements on a
// transaction of the caller's.
#pragma once

#include <cstdint>
#include <optional>
#include <pqxx/pqxx>
#include <string>

#include "service/core/base/leader.h"
#include "service/core/base/result.h"

namespace emplace {

// Taken or renewed for `holder`; nothing: another has it.
std::optional<Leader> take_lease(pqxx::work& transaction, const std::string& name, const std::string& holder,
                                 std::int64_t ttl_s);

// False once another has taken over; else nobody can until the transaction is over.
bool leads(pqxx::work& transaction, const Leader& leader);

Error lease_lost(const Leader& leader);

}  // namespace emplace
