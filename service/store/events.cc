#include "service/store/events.h"

#include "service/store/sql.h"

namespace emplace {
namespace {

// $1 time, $2 kinds, $3 payloads.
constexpr sql::Statement kAppend{
    "append_events",
    "WITH head AS (UPDATE event_head SET seq = seq + cardinality($2::text[]) RETURNING seq),"
    " put AS (INSERT INTO events (seq, at_us, kind, payload)"
    "         SELECT head.seq - cardinality($2::text[]) + e.n, $1::bigint, e.kind, e.payload"
    "         FROM head, unnest($2::text[], $3::text[]) WITH ORDINALITY AS e (kind, payload, n)) "
    "SELECT seq, pg_current_xact_id()::text, pg_notify('emplace_events', seq::text) FROM head"};

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

Appended append(pqxx::work& transaction, const sql::Array& kinds, const sql::Array& payloads, std::int64_t now_us) {
  const auto row = sql::run(transaction, kAppend, now_us, kinds.text(), payloads.text()).front();
  return {sql::i64(row[0]), sql::text(row[1])};
}

}  // namespace

Appended append_events(pqxx::work& transaction, const std::vector<Change>& changes, std::int64_t now_us) {
  if (changes.empty()) return {newest_event(transaction), {}};
  sql::Array kinds, payloads;
  for (const Change& change : changes) {
    kinds.add(std::visit(KindOf{}, change));
    payloads.add(to_json(change));
  }
  return append(transaction, kinds, payloads, now_us);
}

Appended append_event(pqxx::work& transaction, const std::string& kind, const std::string& payload,
                      std::int64_t now_us) {
  sql::Array kinds, payloads;
  return append(transaction, kinds.add(kind), payloads.add(payload), now_us);
}

std::vector<Event> read_events(pqxx::work& transaction, std::int64_t after, std::size_t limit) {
  std::vector<Event> events;
  for (const auto& row : sql::run(transaction, kReadEvents, after, limit))
    events.push_back({sql::i64(row[0]), sql::i64(row[1]), sql::text(row[2]), sql::text(row[3])});
  return events;
}

std::int64_t newest_event(pqxx::work& transaction) { return sql::i64(sql::run(transaction, kNewest).front().front()); }

}  // namespace emplace
