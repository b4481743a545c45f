#include "service/store/housekeeping.h"

#include "service/store/sql.h"
#include "service/store/vm_json.h"

namespace emplace {
namespace {

// The database's clock: one for all replicas.
constexpr sql::Statement kTakeLease{
    "take_lease",
    "INSERT INTO leases AS l (name, holder, fence, expires_at)"
    " VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 second')"
    " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at,"
    "  fence = CASE WHEN l.holder = excluded.holder AND l.expires_at > clock_timestamp() THEN l.fence ELSE l.fence + 1 END"
    " WHERE l.holder = excluded.holder OR l.expires_at <= clock_timestamp() RETURNING fence"};

constexpr sql::Statement kHoldLease{"hold_lease", "SELECT 1 FROM leases WHERE name = $1 AND fence = $2 FOR SHARE"};

#define OLD(table, key, condition)                                                         \
  "DELETE FROM " table " WHERE " key " IN (SELECT " key " FROM " table " WHERE " condition \
  " LIMIT 10000) AND EXISTS (SELECT 1 FROM leases WHERE name = $2 AND fence = $3)"
constexpr sql::Statement kOldDecisions{
    "old_decisions", OLD("decisions", "id", "made_at_us < " SQL_NOW_US " - $1::bigint ORDER BY made_at_us")};
constexpr sql::Statement kOldEvents{"old_events",
                                    OLD("events", "seq", "at_us < " SQL_NOW_US " - $1::bigint ORDER BY at_us")};
constexpr sql::Statement kOldAnswers{
    "old_answers", OLD("idempotency", "ctid", "expires_at_us < " SQL_NOW_US " - $1::bigint ORDER BY expires_at_us")};
constexpr sql::Statement kOldClaims{
    "old_claims",
    OLD("claims", "id", "state = 'expired' AND expires_at_us < " SQL_NOW_US " - $1::bigint ORDER BY expires_at_us")};
#undef OLD

constexpr sql::Statement kStoredVms{
    "stored_vms",
    "SELECT v.claim_id, v.id, v.name, h.name, v.cells, v.state, v.definition FROM vms v JOIN hosts h ON h.id = v.host_id"
    " WHERE v.started AND v.definition IS NOT NULL AND v.claim_id IS NOT NULL ORDER BY v.id"};

}  // namespace

std::optional<Lease> take_lease(pqxx::work& transaction, const std::string& name, const std::string& holder,
                                std::int64_t ttl_s) {
  const auto rows = sql::run(transaction, kTakeLease, name, holder, ttl_s);
  return rows.empty() ? std::nullopt : std::optional(Lease{name, sql::i64(rows.front()[0])});
}

bool delete_old(pqxx::work& transaction, const Lease& lease, const Retention& retention) {
  if (sql::run(transaction, kHoldLease, lease.name, lease.fence).empty()) return false;
  sql::run(transaction, kOldDecisions, retention.decisions_us, lease.name, lease.fence);
  sql::run(transaction, kOldEvents, retention.events_us, lease.name, lease.fence);
  sql::run(transaction, kOldAnswers, retention.answers_us, lease.name, lease.fence);
  sql::run(transaction, kOldClaims, retention.claims_us, lease.name, lease.fence);
  return true;
}

std::vector<StoredVm> read_stored_vms(pqxx::work& transaction) {
  std::vector<StoredVm> vms;
  for (const auto& row : sql::run(transaction, kStoredVms)) {
    auto vm = vm_from_definition(sql::text(row[6]));
    if (!vm) throw pqxx::conversion_error("vm " + sql::text(row[1]) + ": " + vm.error().message);
    vms.push_back({.order = {.claim = {.id = sql::uuid(row[0]),
                                       .vm = sql::uuid(row[1]),
                                       .vm_name = sql::text(row[2]),
                                       .host = sql::text(row[3]),
                                       .cells = sql::u32s(row[4]),
                                       .state = "confirmed"},
                             .vm = std::move(*vm)},
                   .state = parse_vm_state(sql::text(row[5])).value_or(VmState::kFailed)});
  }
  return vms;
}

}  // namespace emplace
