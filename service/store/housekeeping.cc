#include "service/store/housekeeping.h"

#include "service/store/sql.h"
#include "service/store/vm_json.h"

namespace emplace {
namespace {

#define OLD(table, key, condition) \
  "DELETE FROM " table " WHERE " key " IN (SELECT " key " FROM " table " WHERE " condition " LIMIT 10000)"
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

void delete_old(pqxx::work& transaction, const Retention& retention) {
  sql::run(transaction, kOldDecisions, retention.decisions_us);
  sql::run(transaction, kOldEvents, retention.events_us);
  sql::run(transaction, kOldAnswers, retention.answers_us);
  sql::run(transaction, kOldClaims, retention.claims_us);
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
