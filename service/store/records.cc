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
    "INSERT INTO decisions (id, vm, profile, replica, picture_version, event_seq, made_at_us, request, document)"
    " SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],"
    " $8::text[], $9::text[])"};

#define SELECT_DECISIONS \
  "SELECT id, vm, profile, replica, picture_version, event_seq, made_at_us, request, document FROM decisions "
constexpr sql::Statement kDecisionPage{"decision_page", SELECT_DECISIONS "WHERE id > $1::uuid ORDER BY id LIMIT $2"};
constexpr sql::Statement kDecision{"decision", SELECT_DECISIONS "WHERE id = $1::uuid"};
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
          .request = sql::text(row[7]),
          .document = sql::text(row[8]),
          .made_at_us = sql::i64(row[6])};
}

}  // namespace

void insert_decisions(pqxx::work& transaction, const std::vector<DecisionRecord>& decisions) {
  if (decisions.empty()) return;
  sql::Array ids, vms, profiles, replicas, versions, seqs, times, requests, documents;
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
  }
  sql::run(transaction, kInsertDecisions, ids.text(), vms.text(), profiles.text(), replicas.text(), versions.text(),
           seqs.text(), times.text(), requests.text(), documents.text());
}

std::vector<DecisionRecord> read_decisions(pqxx::work& transaction, const Uuid& after, std::size_t limit) {
  std::vector<DecisionRecord> decisions;
  for (const auto& row : sql::run(transaction, kDecisionPage, to_string(after), limit)) decisions.push_back(to_decision(row));
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

std::int64_t count_answers(pqxx::work& transaction) { return sql::i64(sql::run(transaction, kCountAnswers).front().front()); }

Error answered_meanwhile(const IdempotencyKey& key) {
  return {ErrorCode::kConflict, fmt::format("Idempotency-Key \"{}\" was answered meanwhile; ask again", key.key),
          "emplace.idempotency.answered"};
}

}  // namespace emplace
