#include "service/store/leases.h"

#include "service/store/sql.h"

namespace emplace {
namespace {

constexpr sql::Statement kTakeLease{
    "take_lease",
    "INSERT INTO leases AS l (name, holder, fence, expires_at)"
    " VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 second')"
    " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at,"
    "  fence = CASE WHEN l.holder = excluded.holder AND l.expires_at > clock_timestamp() THEN l.fence ELSE l.fence + 1 END"
    " WHERE l.holder = excluded.holder OR l.expires_at <= clock_timestamp() RETURNING fence"};

constexpr sql::Statement kHoldLease{"hold_lease", "SELECT 1 FROM leases WHERE name = $1 AND fence = $2 FOR SHARE"};

}  // namespace

std::optional<Leader> take_lease(pqxx::work& transaction, const std::string& name, const std::string& holder,
                                 std::int64_t ttl_s) {
  const auto rows = sql::run(transaction, kTakeLease, name, holder, ttl_s);
  return rows.empty() ? std::nullopt : std::optional(Leader{name, sql::i64(rows.front()[0])});
}

bool leads(pqxx::work& transaction, const Leader& leader) {
  return !sql::run(transaction, kHoldLease, leader.name, leader.fence).empty();
}

Error lease_lost(const Leader& leader) {
  return {ErrorCode::kConflict, "another replica has taken over the job " + leader.name, "emplace.lease.lost"};
}

}  // namespace emplace
