#include "service/store/events.h"

#include <algorithm>

#include "service/core/base/actor.h"
#include "service/store/sql.h"

namespace emplace {
namespace {

// $1 kinds, $2 payloads, $3 actors.
constexpr sql::Statement kAppend{
    "append_events",
    "WITH head AS (UPDATE event_head SET seq = seq + cardinality($1::text[]) RETURNING seq),"
    " put AS (INSERT INTO events (seq, at_us, kind, payload, actor)"
    "         SELECT head.seq - cardinality($1::text[]) + e.n, " SQL_NOW_US
    ", e.kind, e.payload, e.actor"
    "         FROM head, unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS e (kind, payload, actor, n)) "
    "SELECT seq, pg_current_xact_id()::text, pg_backend_pid(), pg_notify('emplace_events', seq::text) FROM head"};

constexpr sql::Statement kReadEvents{
    "read_events", "SELECT seq, at_us, kind, payload, actor FROM events WHERE seq > $1 ORDER BY seq LIMIT $2"};

constexpr sql::Statement kNewest{"newest_event", "SELECT seq FROM event_head"};

struct KindOf {
  const char* operator()(const HostRow&) const { return "host"; }
  const char* operator()(const VmRow&) const { return "vm"; }
  const char* operator()(const GroupRow&) const { return "group"; }
  const char* operator()(const AggregateRow&) const { return "aggregate"; }
  const char* operator()(const TrafficRow&) const { return "traffic"; }
  const char* operator()(const DataSourceRow&) const { return "data_source"; }
  const char* operator()(const SourceHostsRow&) const { return "source_hosts"; }
  const char* operator()(const PageSampleRow&) const { return "page_sample"; }
  const char* operator()(const HostRemoved&) const { return "host_removed"; }
  const char* operator()(const VmRemoved&) const { return "vm_removed"; }
  const char* operator()(const GroupRemoved&) const { return "group_removed"; }
  const char* operator()(const AggregateRemoved&) const { return "aggregate_removed"; }
};

struct Columns {
  sql::Array kinds = {}, payloads = {}, actors = {};
};

Appended append(pqxx::work& transaction, const Columns& columns) {
  const auto row =
      sql::run(transaction, kAppend, columns.kinds.text(), columns.payloads.text(), columns.actors.text()).front();
  return {sql::i64(row[0]), sql::text(row[1]), static_cast<int>(sql::i64(row[2]))};
}

}  // namespace

Appended append_events(pqxx::work& transaction, std::span<const Change> changes, std::span<const std::string> actors) {
  if (changes.empty()) return {newest_event(transaction), {}, 0};
  for (; changes.size() > sql::kPortion; changes = changes.subspan(sql::kPortion)) {
    append_events(transaction, changes.first(sql::kPortion), actors.first(std::min(sql::kPortion, actors.size())));
    if (!actors.empty()) actors = actors.subspan(sql::kPortion);
  }
  Columns columns;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    columns.kinds.add(std::visit(KindOf{}, changes[i]));
    columns.payloads.add(to_json(changes[i]));
    columns.actors.add(actors.empty() ? Acting::who() : actors[i]);
  }
  return append(transaction, columns);
}

Appended append_event(pqxx::work& transaction, const std::string& kind, const std::string& payload) {
  Columns columns;
  columns.kinds.add(kind);
  columns.payloads.add(payload);
  columns.actors.add(Acting::who());
  return append(transaction, columns);
}

std::vector<Event> read_events(pqxx::transaction_base& transaction, std::int64_t after, std::size_t limit) {
  std::vector<Event> events;
  for (const auto& row : sql::run(transaction, kReadEvents, after, limit))
    events.push_back({sql::i64(row[0]), sql::i64(row[1]), sql::text(row[2]), sql::text(row[3]), sql::text(row[4])});
  return events;
}

std::int64_t newest_event(pqxx::transaction_base& transaction) {
  return sql::i64(sql::run(transaction, kNewest).front().front());
}

}  // namespace emplace
