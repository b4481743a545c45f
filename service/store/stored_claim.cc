#include "service/store/stored_claim.h"

#include "service/store/sql.h"

namespace emplace {
namespace {

#define SELECT_CLAIMS                                                                                           \
  "SELECT c.id, c.vm, c.vm_name, h.name, c.cells, c.state, c.expires_at_us, c.generation, h.source, c.project," \
  " coalesce(g.name, ''), c.vcpus, c.memory_mib, c.disk_gib, c.numa_nodes, c.spread_by, c.spread_group,"        \
  " c.spread_domain, c.start, c.move, c.definition, coalesce(o.name, ''), v.vcpus, v.memory_mib, v.disk_gib,"   \
  " v.cells, coalesce(v.source, ''), coalesce(v.vcpus_max, 0), coalesce(v.memory_max_mib, 0), c.failure,"       \
  " c.taken_at_us, c.takes, coalesce(v.takes, '') FROM claims c JOIN hosts h ON h.id = c.host_id"               \
  " LEFT JOIN groups g ON g.id = c.group_id"                                                                    \
  " LEFT JOIN vms v ON v.id = c.vm LEFT JOIN hosts o ON o.id = v.host_id "

constexpr sql::Statement kById{"claims_by_id", SELECT_CLAIMS "WHERE c.id = ANY($1::uuid[])"};
constexpr sql::Statement kNamed{"claims_named", SELECT_CLAIMS "WHERE c.state = 'held' AND c.vm_name = ANY($1::text[])"};
// $1, $2 where the page begins; $3 host, $4 group, $5 project, $6 vm, $7 the beginning of the vm's name, $8 limit.
#define HELD_PAGE(type, key, than, way)                                                                            \
  SELECT_CLAIMS                                                                                                    \
  "WHERE c.state = 'held' AND ($3::text = '' OR h.name = $3) AND ($4::text = '' OR g.name = $4)"                   \
  " AND ($5::text = '' OR c.project = $5) AND (nullif($6::text, '') IS NULL OR c.vm = nullif($6, '')::uuid)"       \
  " AND starts_with(c.vm_name, $7::text) AND (nullif($2::text, '') IS NULL OR (" key ", c.id) " than " ($1::" type \
  ", nullif($2, '')::uuid))"                                                                                       \
  " ORDER BY " key " " way ", c.id " way " LIMIT $8"
constexpr sql::Statement kHeld{"claims_held", HELD_PAGE("uuid", "c.id", ">", "ASC")};
constexpr sql::Statement kHeldByName{"claims_held_by_name", HELD_PAGE("text", "c.vm_name COLLATE \"C\"", ">", "ASC")};
constexpr sql::Statement kHeldByNameDown{"claims_held_by_name_down",
                                         HELD_PAGE("text", "c.vm_name COLLATE \"C\"", "<", "DESC")};
#undef HELD_PAGE
constexpr sql::Statement kStarts{"claims_to_start", SELECT_CLAIMS "WHERE c.state = 'held' AND c.start ORDER BY c.id"};
constexpr sql::Statement kNote{
    "note_claim",
    "UPDATE claims SET failure = $2 WHERE id = $1::uuid AND state = 'held' AND failure <> $2 RETURNING id"};
constexpr sql::Statement kExpired{
    "claims_expired", "SELECT id FROM claims WHERE state = 'held' AND NOT start AND expires_at_us <= " SQL_NOW_US
                      " ORDER BY expires_at_us LIMIT $1"};
#undef SELECT_CLAIMS

StoredClaim to_claim(const pqxx::row& row) {
  StoredClaim stored;
  Claim& claim = stored.claim;
  claim = {.id = sql::uuid(row[0]),
           .vm = sql::uuid(row[1]),
           .vm_name = sql::text(row[2]),
           .project = sql::text(row[9]),
           .group = sql::text(row[10]),
           .host = sql::text(row[3]),
           .cells = sql::u32s(row[4]),
           .state = sql::text(row[5]),
           .expires_at_us = sql::i64(row[6]),
           .generation = sql::i64(row[7]),
           .taken_at_us = sql::i64(row[30])};
  stored.start = sql::boolean(row[18]);
  stored.move = sql::boolean(row[19]);
  stored.vm = {
      .id = claim.vm,
      .name = claim.vm_name,
      .host = claim.host,
      .state = stored.start ? VmState::kStarting : VmState::kClaimed,
      .source = sql::text(row[8]),
      .project = claim.project,
      .group = claim.group,
      .vcpus = sql::f64(row[11]),
      .memory_mib = sql::f64(row[12]),
      .disk_gib = sql::f64(row[13]),
      .numa_nodes = static_cast<std::uint32_t>(sql::i64(row[14])),
      .cells = claim.cells,
      .spread = {parse_spread_by(sql::text(row[15])).value_or(SpreadBy::kNone), sql::text(row[16]), sql::text(row[17])},
      .claim = claim.id,
      .failure = sql::text(row[29]),
      .takes = sql::text(row[31])};
  stored.definition = sql::text(row[20]);
  stored.placed_on = sql::text(row[21]);
  if (stored.placed_on.empty()) return stored;
  stored.placed = counted({sql::f64(row[22]), sql::f64(row[23]), sql::f64(row[24])}, sql::text(row[32]));
  stored.placed_cells = sql::u32s(row[25]);
  stored.placed_source = sql::text(row[26]);
  stored.placed_vcpus_max = sql::f64(row[27]);
  stored.placed_memory_max_mib = sql::f64(row[28]);
  return stored;
}

std::vector<StoredClaim> to_claims(const pqxx::result& rows) {
  std::vector<StoredClaim> claims;
  for (const auto& row : rows) claims.push_back(to_claim(row));
  return claims;
}

}  // namespace

std::vector<StoredClaim> read_claims(pqxx::work& transaction, const std::vector<Uuid>& ids) {
  return to_claims(sql::run(transaction, kById, sql::array_of(ids)));
}
std::vector<StoredClaim> read_held_claims(pqxx::work& transaction, const ListQuestion& question) {
  const sql::Place after = sql::place_of(question);
  const sql::Statement& page = question.order == ListOrder::kId ? kHeld
                               : question.descending            ? kHeldByNameDown
                                                                : kHeldByName;
  return to_claims(sql::run_planned(transaction, page, after.key, after.id, question.host, question.group,
                                    question.project, sql::text_or_empty(question.vm), question.name_prefix,
                                    question.limit));
}
std::vector<StoredClaim> read_claims_named(pqxx::work& transaction, const std::vector<std::string>& names) {
  return to_claims(sql::run(transaction, kNamed, sql::array(names)));
}
std::vector<StoredClaim> read_unfinished_starts(pqxx::work& transaction) {
  return to_claims(sql::run(transaction, kStarts));
}
bool note_claim(pqxx::work& transaction, const Uuid& id, const std::string& failure) {
  return !sql::run(transaction, kNote, to_string(id), failure).empty();
}
std::vector<Uuid> read_expired(pqxx::work& transaction, std::size_t limit) {
  std::vector<Uuid> ids;
  for (const auto& row : sql::run(transaction, kExpired, limit)) ids.push_back(sql::uuid(row[0]));
  return ids;
}

}  // namespace emplace
