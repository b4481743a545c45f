#include "service/store/events.h"

#include "service/store/sql.h"

namespace emplace {
namespace {

// $1 kinds, $2 payloads.
constexpr sql::Statement kAppend{
    "append_events",
    "WITH head AS (UPDATE event_head SET seq = seq + cardinality($1::text[]) RETURNING seq),"
    " put AS (INSERT INTO events (seq, at_us, kind, payload)"
    "         SELECT head.seq - cardinality($1::text[]) + e.n, " SQL_NOW_US
    ", e.kind, e.payload"
    "         FROM head, unnest($1::text[], $2::text[]) WITH ORDINALITY AS e (kind, payload, n)) "
    "SELECT seq, pg_current_xact_id()::text, pg_backend_pid(), pg_notify('emplace_events', seq::text) FROM head"};

constexpr sql::Statement kReadEvents{
    "read_events", "SELECT seq, at_us, kind, payload FROM events WHERE seq > $1 ORDER BY seq LIMIT $2"};

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

Appended append(pqxx::work& transaction, const sql::Array& kinds, const sql::Array& payloads) {
  const auto row = sql::run(transaction, kAppend, kinds.text(), payloads.text()).front();
  return {sql::i64(row[0]), sql::text(row[1]), static_cast<int>(sql::i64(row[2]))};
}

}  // namespace

Appended append_events(pqxx::work& transaction, std::span<const Change> changes) {
  if (changes.empty()) return {newest_event(transaction), {}, 0};
  for (; changes.size() > sql::kPortion; changes = changes.subspan(sql::kPortion))
    append_events(transaction, changes.first(sql::kPortion));
  sql::Array kinds, payloads;
  for (const Change& change : changes) {
    kinds.add(std::visit(KindOf{}, change));
    payloads.add(to_json(change));
  }
  return append(transaction, kinds, payloads);
}

Appended append_event(pqxx::work& transaction, const std::string& kind, const std::string& payload) {
  sql::Array kinds, payloads;
  return append(transaction, kinds.add(kind), payloads.add(payload));
}

std::vector<Event> read_events(pqxx::transaction_base& transaction, std::int64_t after, std::size_t limit) {
  std::vector<Event> events;
  for (const auto& row : sql::run(transaction, kReadEvents, after, limit))
    events.push_back({sql::i64(row[0]), sql::i64(row[1]), sql::text(row[2]), sql::text(row[3])});
  return events;
}

std::int64_t newest_event(pqxx::transaction_base& transaction) { return sql::i64(sql::run(transaction, kNewest).front().front()); }

}  // namespace emplace
