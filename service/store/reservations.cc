#include "service/store/reservations.h"

#include "service/store/events.h"
#include "service/store/sql.h"

namespace emplace {
namespace {

constexpr char kNoWait[] = "SET LOCAL synchronous_commit = off";

// Only on hosts that are still there, and stay until the commit.
constexpr sql::Statement kWrite{
    "write_reservations",
    "INSERT INTO reservations (vm, host, payload, expires_at_us)"
    " SELECT n.vm, n.host, n.payload, " SQL_NOW_US
    " + n.left_us"
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[]) AS n (vm, host, payload, left_us)"
    " JOIN (SELECT name FROM hosts WHERE name = ANY($2::text[]) ORDER BY id FOR KEY SHARE) AS h ON h.name = n.host"
    " ORDER BY n.vm ON CONFLICT (vm) DO UPDATE"
    " SET host = excluded.host, payload = excluded.payload, expires_at_us = excluded.expires_at_us RETURNING vm"};
constexpr sql::Statement kRemove{"remove_reservations",
                                 "DELETE FROM reservations WHERE vm = ANY($1::uuid[]) RETURNING vm, payload"};
constexpr sql::Statement kForget{
    "forget_reservations",
    "DELETE FROM reservations WHERE host = ANY($1::text[]) OR vm = ANY($2::uuid[]) RETURNING vm, payload"};
constexpr sql::Statement kExpire{
    "expire_reservations", "DELETE FROM reservations WHERE expires_at_us <= " SQL_NOW_US " RETURNING vm, payload"};
constexpr sql::Statement kReadReservations{"read_reservations", "SELECT payload FROM reservations ORDER BY vm"};

std::vector<Change> removals(const pqxx::result& rows) {
  std::vector<Change> changes;
  for (const auto& row : rows) {
    const Uuid vm = sql::uuid(row[0]);
    const auto reserved = change_from_json(sql::text(row[1]));
    const VmRow* const known = reserved ? std::get_if<VmRow>(&*reserved) : nullptr;
    changes.push_back(VmRemoved{vm, vm, known ? known->project : ""});
  }
  return changes;
}

}  // namespace

std::int64_t write_reservations(pqxx::work& transaction, const std::vector<ReservedVm>& reserved, std::int64_t now_us) {
  transaction.exec0(kNoWait);
  sql::Array ids, hosts, payloads, left;
  for (const ReservedVm& one : reserved) {
    ids.add(one.row.id);
    hosts.add(one.row.host);
    payloads.add(to_json(Change(one.row)));
    left.add(one.expires_at_us - now_us);
  }
  std::set<Uuid> written;
  for (const auto& row : sql::run(transaction, kWrite, ids.text(), hosts.text(), payloads.text(), left.text()))
    written.insert(sql::uuid(row[0]));
  std::vector<Change> changes;
  std::vector<Uuid> ended;
  for (const ReservedVm& one : reserved) {
    const Uuid& vm = one.row.id;
    changes.push_back(written.contains(vm) ? Change(one.row) : Change(VmRemoved{vm, vm, one.row.project}));
    if (!written.contains(vm)) ended.push_back(vm);
  }
  if (!ended.empty()) sql::run(transaction, kRemove, sql::array_of(ended));
  return append_events(transaction, changes).last_seq;
}

std::int64_t remove_reservations(pqxx::work& transaction, const std::vector<Uuid>& vms) {
  transaction.exec0(kNoWait);
  return append_events(transaction, removals(sql::run(transaction, kRemove, sql::array_of(vms)))).last_seq;
}

std::vector<Change> forget_reservations(pqxx::work& transaction, const std::set<std::string>& hosts,
                                        const std::set<Uuid>& vms) {
  if (hosts.empty() && vms.empty()) return {};
  return removals(sql::run(transaction, kForget, sql::array_of(hosts), sql::array_of(vms)));
}

std::int64_t expire_reservations(pqxx::work& transaction) {
  transaction.exec0(kNoWait);
  const auto gone = removals(sql::run(transaction, kExpire));
  append_events(transaction, gone);
  return static_cast<std::int64_t>(gone.size());
}

std::vector<Change> read_reservations(pqxx::work& transaction) {
  std::vector<Change> changes;
  for (const auto& row : sql::run(transaction, kReadReservations)) {
    if (auto change = change_from_json(sql::text(row[0]))) changes.push_back(*std::move(change));
  }
  return changes;
}

}  // namespace emplace
