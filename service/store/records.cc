#include "service/store/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "service/store/sql.h"

namespace emplace {
namespace {

#define ANSWER_LIFE "86400000000"  // a day, in microseconds

constexpr sql::Statement kInsertDecisions{
    "insert_decisions",
    "INSERT INTO decisions (id, vm, profile, replica, picture_version, event_seq, made_at_us, request, document, vm_name,"
    " project, host, vms)"
    " SELECT id, vm, profile, replica, picture_version, event_seq, made_at_us, request, document, vm_name, project, host,"
    " vms::uuid[] FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],"
    " $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[]) AS n (id, vm, profile, replica,"
    " picture_version, event_seq, made_at_us, request, document, vm_name, project, host, vms)"};

#define SELECT_DECISIONS(texts)                                                                             \
  "SELECT id, vm, profile, replica, picture_version, event_seq, made_at_us, vm_name, project, host, " texts \
  " FROM decisions "
constexpr sql::Statement kDecision{"decision", SELECT_DECISIONS("request, document") "WHERE id = $1::uuid"};

// $1, $2 where the page begins; $3 host, $4 project, $5 vm, $6 the beginning of the vm's name, $7 limit.
#define DECISION_PAGE(type, key, than, way)                                                                    \
  SELECT_DECISIONS("'', ''")                                                                                   \
  "WHERE ($3::text = '' OR host = $3) AND ($4::text = '' OR project = $4)"                                     \
  " AND (nullif($5::text, '') IS NULL OR vm = nullif($5, '')::uuid OR vms @> ARRAY[nullif($5, '')::uuid])"     \
  " AND starts_with(vm_name, $6::text) AND (nullif($2::text, '') IS NULL OR (" key ", id) " than " ($1::" type \
  ", nullif($2, '')::uuid))"                                                                                   \
  " ORDER BY " key " " way ", id " way " LIMIT $7"
#define VM_NAME "vm_name COLLATE \"C\""
constexpr sql::Statement kDecisionPage{"decision_page", DECISION_PAGE("uuid", "id", ">", "ASC")};
constexpr sql::Statement kDecisionsByName{"decisions_by_name", DECISION_PAGE("text", VM_NAME, ">", "ASC")};
constexpr sql::Statement kDecisionsByNameDown{"decisions_by_name_down", DECISION_PAGE("text", VM_NAME, "<", "DESC")};
constexpr sql::Statement kOldestDecisions{"oldest_decisions", DECISION_PAGE("bigint", "made_at_us", ">", "ASC")};
constexpr sql::Statement kNewestDecisions{"newest_decisions", DECISION_PAGE("bigint", "made_at_us", "<", "DESC")};
#undef VM_NAME
#undef DECISION_PAGE
#undef SELECT_DECISIONS

// An expired key is as good as none. The rows that are returned were written. Keys come in one order, so that two
// transactions with the same keys wait for each other and don't deadlock.
constexpr sql::Statement kInsertAnswers{
    "insert_answers",
    "INSERT INTO idempotency AS i (key, token, body_hash, status, answer, expires_at_us)"
    " SELECT n.*, " SQL_NOW_US " + " ANSWER_LIFE
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[])"
    "  AS n (key, token, body_hash, status, answer) ORDER BY key, token"
    " ON CONFLICT (key, token) DO UPDATE SET body_hash = excluded.body_hash, status = excluded.status,"
    "  answer = excluded.answer, expires_at_us = excluded.expires_at_us WHERE i.expires_at_us <= " SQL_NOW_US
    " RETURNING key, token"};

constexpr sql::Statement kAnswer{
    "read_answer",
    "SELECT body_hash, status, answer FROM idempotency WHERE key = $1 AND token = $2 AND expires_at_us > " SQL_NOW_US};

constexpr sql::Statement kCountAnswers{"count_answers", "SELECT count(*) FROM idempotency"};

DecisionRecord to_decision(const pqxx::row& row) {
  return {.id = sql::uuid(row[0]),
          .vm = sql::uuid(row[1]),
          .profile = sql::text(row[2]),
          .picture = {sql::text(row[3]), static_cast<std::uint64_t>(sql::i64(row[4])), sql::i64(row[5])},
          .request = sql::text(row[10]),
          .document = sql::text(row[11]),
          .made_at_us = sql::i64(row[6]),
          .vm_name = sql::text(row[7]),
          .project = sql::text(row[8]),
          .host = sql::text(row[9])};
}

const sql::Statement& page_of(const ListQuestion& question) {
  if (question.order == ListOrder::kId) return kDecisionPage;
  if (question.order == ListOrder::kName) return question.descending ? kDecisionsByNameDown : kDecisionsByName;
  return question.descending ? kNewestDecisions : kOldestDecisions;
}

}  // namespace

void insert_decisions(pqxx::work& transaction, const std::vector<DecisionRecord>& decisions) {
  if (decisions.empty()) return;
  sql::Array ids, vms, profiles, replicas, versions, seqs, times, requests, documents, names, projects, hosts, all_vms;
  for (const DecisionRecord& decision : decisions) {
    ids.add(decision.id);
    vms.add(decision.vm);
    profiles.add(decision.profile);
    replicas.add(decision.picture.replica);
    versions.add(static_cast<std::int64_t>(decision.picture.version));
    seqs.add(decision.picture.event_seq);
    times.add(decision.made_at_us);
    requests.add(decision.request);
    documents.add(decision.document);
    names.add(decision.vm_name);
    projects.add(decision.project);
    hosts.add(decision.host);
    all_vms.add(sql::array_of(decision.vms));
  }
  sql::run(transaction, kInsertDecisions, ids.text(), vms.text(), profiles.text(), replicas.text(), versions.text(),
           seqs.text(), times.text(), requests.text(), documents.text(), names.text(), projects.text(), hosts.text(),
           all_vms.text());
}

std::vector<DecisionRecord> read_decisions(pqxx::work& transaction, const ListQuestion& question) {
  const sql::Place after = sql::place_of(question);
  std::vector<DecisionRecord> decisions;
  for (const auto& row :
       sql::run_planned(transaction, page_of(question), after.key, after.id, question.host, question.project,
                        sql::text_or_empty(question.vm), question.name_prefix, question.limit))
    decisions.push_back(to_decision(row));
  return decisions;
}

std::optional<DecisionRecord> read_decision(pqxx::work& transaction, const Uuid& id) {
  const auto rows = sql::run(transaction, kDecision, to_string(id));
  return rows.empty() ? std::nullopt : std::optional(to_decision(rows.front()));
}

std::vector<std::size_t> insert_answers(pqxx::work& transaction, const std::vector<KeyedAnswer>& answers) {
  std::vector<std::size_t> known;
  if (answers.empty()) return known;
  std::map<std::pair<std::string, std::string>, std::size_t> places;
  sql::Array keys, tokens, hashes, statuses, bodies;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto& [key, answer] = answers[i];
    if (!places.emplace(std::pair(key.key, key.token), i).second) {
      known.push_back(i);
      continue;
    }
    keys.add(key.key);
    tokens.add(key.token);
    hashes.add(key.body_hash);
    statuses.add(std::int64_t{answer.status});
    bodies.add(answer.body);
  }
  for (const auto& row :
       sql::run(transaction, kInsertAnswers, keys.text(), tokens.text(), hashes.text(), statuses.text(), bodies.text()))
    places.erase({sql::text(row[0]), sql::text(row[1])});
  for (const auto& [key, place] : places) known.push_back(place);
  return known;
}

Result<std::optional<RememberedAnswer>> read_answer(pqxx::work& transaction, const IdempotencyKey& key) {
  const auto rows = sql::run(transaction, kAnswer, key.key, key.token);
  if (rows.empty()) return std::optional<RememberedAnswer>();
  if (sql::text(rows.front()[0]) != key.body_hash)
    return fail(ErrorCode::kUnprocessable, fmt::format("Idempotency-Key \"{}\" was used with another body", key.key),
                "emplace.idempotency.reused");
  return std::optional(RememberedAnswer{static_cast<int>(sql::i64(rows.front()[1])), sql::text(rows.front()[2])});
}

std::int64_t count_answers(pqxx::work& transaction) {
  return sql::i64(sql::run(transaction, kCountAnswers).front().front());
}

Error answered_meanwhile(const IdempotencyKey& key) {
  return {ErrorCode::kConflict, fmt::format("Idempotency-Key \"{}\" was answered meanwhile; ask again", key.key),
          "emplace.idempotency.answered"};
}

}  // namespace emplace
