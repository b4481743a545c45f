#include "service/store/operations.h"

#include "service/store/rows.h"
#include "service/store/sql.h"

namespace emplace {
namespace {

constexpr sql::Statement kInsertOperations{
    "insert_operations",
    "INSERT INTO operations (id, kind, vm, vm_name, host, moved_from, runner)"
    " SELECT n.id, n.kind, n.vm, n.vm_name, n.host, n.moved_from, $7::uuid FROM unnest($1::uuid[], $2::text[],"
    " $3::uuid[], $4::text[], $5::text[], $6::text[]) AS n (id, kind, vm, vm_name, host, moved_from)"
    " ON CONFLICT (id) DO NOTHING"};
constexpr sql::Statement kEndOperations{
    "end_operations",
    "UPDATE operations o SET state = $3, error = n.error, ended_at = clock_timestamp(),"
    " progress = CASE WHEN $3 = 'succeeded' THEN 1 ELSE o.progress END"
    " FROM unnest($1::uuid[], $2::text[]) AS n (id, error) WHERE o.id = n.id AND o.state = 'running'"};
constexpr sql::Statement kNoteErrors{
    "note_operation_errors",
    "UPDATE operations o SET error = n.error FROM unnest($1::uuid[], $2::text[]) AS n (id, error)"
    " WHERE o.id = n.id AND o.state = 'running'"};
constexpr sql::Statement kNoteProgress{"note_operation_progress",
                                       "UPDATE operations SET progress = $2 WHERE id = $1::uuid AND state = 'running'"};
constexpr sql::Statement kEndOfVms{
    "end_operations_of_vms",
    "UPDATE operations SET state = 'failed', error = 'the vm was deleted', ended_at = clock_timestamp()"
    " WHERE vm = ANY($1::uuid[]) AND state = 'running' AND kind <> 'delete'"};
constexpr sql::Statement kPutFailures{
    "put_failures",
    "UPDATE vms v SET failure = n.failure FROM unnest($1::uuid[], $2::text[]) AS n (id, failure)"
    " WHERE v.id = n.id RETURNING v.id"};

#define SELECT_OPERATIONS                                                                         \
  "SELECT id, kind, vm, vm_name, host, moved_from, state, progress, error,"                       \
  " (extract(epoch FROM started_at) * 1e6)::bigint, (extract(epoch FROM ended_at) * 1e6)::bigint" \
  " FROM operations o "
constexpr sql::Statement kOperationById{"operation_by_id", SELECT_OPERATIONS "WHERE id = $1::uuid"};
constexpr sql::Statement kOperationPage{
    "operations_page", SELECT_OPERATIONS
    "WHERE id > $1::uuid AND ($2 = '' OR vm = nullif($2, '')::uuid) AND ($3 = '' OR state = $3) ORDER BY id LIMIT $4"};
constexpr sql::Statement kForsakenOperations{
    "forsaken_operations", SELECT_OPERATIONS
    "WHERE state = 'running' AND NOT EXISTS (SELECT 1 FROM runners r WHERE r.id = o.runner"
    " AND r.heard_at > clock_timestamp() - interval '30 seconds') ORDER BY id"};
#undef SELECT_OPERATIONS

constexpr sql::Statement kHearOf{"hear_of_runner",
                                 "INSERT INTO runners (id, replica, heard_at) VALUES ($1::uuid, $2, clock_timestamp())"
                                 " ON CONFLICT (id) DO UPDATE SET heard_at = excluded.heard_at"};
constexpr sql::Statement kForgetRunners{"forget_runners", "DELETE FROM runners WHERE replica = $2 AND id <> $1::uuid"};
constexpr sql::Statement kOldOperations{"old_operations",
                                        "DELETE FROM operations WHERE id IN (SELECT id FROM operations WHERE ended_at <"
                                        " clock_timestamp() - interval '24 hours' ORDER BY ended_at LIMIT 10000)"};

Operation to_operation(const pqxx::row& row) {
  return {.id = sql::uuid(row[0]),
          .kind = sql::text(row[1]),
          .vm = sql::uuid(row[2]),
          .vm_name = sql::text(row[3]),
          .host = sql::text(row[4]),
          .from = sql::text(row[5]),
          .state = sql::text(row[6]),
          .progress = sql::maybe_f64(row[7]),
          .error = sql::text(row[8]),
          .started_at_us = sql::i64(row[9]),
          .ended_at_us = row[10].is_null() ? 0 : sql::i64(row[10])};
}

std::vector<Operation> to_operations(const pqxx::result& rows) {
  std::vector<Operation> operations;
  for (const auto& row : rows) operations.push_back(to_operation(row));
  return operations;
}

struct TextsById {
  sql::Array ids, texts;
};
TextsById texts_by_id(const OperationEnds& ends) {
  TextsById columns;
  for (const auto& [id, text] : ends) {
    columns.ids.add(id);
    columns.texts.add(text);
  }
  return columns;
}

}  // namespace

void insert_operations(pqxx::work& transaction, const std::vector<Operation>& operations, const Uuid& runner) {
  if (operations.empty()) return;
  sql::Array ids, kinds, vms, names, hosts, origins;
  for (const Operation& operation : operations) {
    ids.add(operation.id);
    kinds.add(operation.kind);
    vms.add(operation.vm);
    names.add(operation.vm_name);
    hosts.add(operation.host);
    origins.add(operation.from);
  }
  sql::run(transaction, kInsertOperations, ids.text(), kinds.text(), vms.text(), names.text(), hosts.text(),
           origins.text(), to_string(runner));
}

void end_operations(pqxx::work& transaction, const OperationEnds& ends, const std::string& state) {
  if (ends.empty()) return;
  const TextsById columns = texts_by_id(ends);
  sql::run(transaction, kEndOperations, columns.ids.text(), columns.texts.text(), state);
}

void note_errors(pqxx::work& transaction, const OperationEnds& errors) {
  if (errors.empty()) return;
  const TextsById columns = texts_by_id(errors);
  sql::run(transaction, kNoteErrors, columns.ids.text(), columns.texts.text());
}

void note_progress(pqxx::work& transaction, const Uuid& id, double progress) {
  sql::run(transaction, kNoteProgress, to_string(id), sql::number(progress));
}

void end_operations_of(pqxx::work& transaction, const std::string& vms) { sql::run(transaction, kEndOfVms, vms); }

std::vector<VmRow> put_failures(pqxx::work& transaction, const OperationEnds& failures) {
  if (failures.empty()) return {};
  const TextsById columns = texts_by_id(failures);
  std::vector<Uuid> written;
  for (const auto& row : sql::run(transaction, kPutFailures, columns.ids.text(), columns.texts.text()))
    written.push_back(sql::uuid(row[0]));
  return written.empty() ? std::vector<VmRow>() : read_vms(transaction, written);
}

std::vector<Operation> read_operations(pqxx::work& transaction, const OperationFilter& filter) {
  return to_operations(sql::run(transaction, kOperationPage, to_string(filter.marker),
                                filter.vm ? to_string(*filter.vm) : "", filter.state, filter.limit));
}

std::vector<Operation> read_operation(pqxx::work& transaction, const Uuid& id) {
  return to_operations(sql::run(transaction, kOperationById, to_string(id)));
}

void hear_of(pqxx::work& transaction, const Uuid& runner, const std::string& replica) {
  sql::run(transaction, kHearOf, to_string(runner), replica);
  sql::run(transaction, kForgetRunners, to_string(runner), replica);
}

std::vector<Operation> read_forsaken(pqxx::work& transaction) {
  return to_operations(sql::run(transaction, kForsakenOperations));
}

void delete_old_operations(pqxx::work& transaction) { sql::run(transaction, kOldOperations); }

}  // namespace emplace
