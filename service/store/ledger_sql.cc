#include "service/store/ledger_sql.h"

#include <algorithm>

#include "service/store/sql.h"

namespace emplace {
namespace {

constexpr sql::Statement kLockGroups{
    "lock_groups",
    "SELECT id, name, policy, max_per_host FROM groups WHERE name = ANY($1::text[]) ORDER BY id FOR UPDATE"};

constexpr sql::Statement kPlaces{"host_places", "SELECT name, zone, rack FROM hosts WHERE name = ANY($1::text[])"};

constexpr sql::Statement kLockDomains{
    "lock_fault_domains",
    "SELECT d.id FROM unnest($1::text[], $2::text[]) AS w (kind, name) JOIN fault_domains d USING (kind, name)"
    " ORDER BY d.id FOR UPDATE OF d"};

constexpr sql::Statement kRaiseDomains{
    "raise_fault_domains", "UPDATE fault_domains SET generation = generation + 1 WHERE id = ANY($1::bigint[])"};

constexpr sql::Statement kLockHosts{
    "lock_hosts",
    "SELECT id, name, source, zone, rack, state, (vcpus - vcpus_reserved) * cpu_allocation_ratio,"
    " (memory_mib - memory_reserved_mib) * ram_allocation_ratio, (disk_gib - disk_reserved_gib) * disk_allocation_ratio,"
    " vcpus_used, memory_used_mib, disk_used_gib, claims_generation"
    " FROM hosts WHERE name = ANY($1::text[]) ORDER BY id FOR UPDATE"};

constexpr sql::Statement kCells{
    "read_cells",
    "SELECT h.name, c.vcpus * h.cpu_allocation_ratio, c.memory_mib * h.ram_allocation_ratio, c.vcpus_used, c.memory_used_mib"
    " FROM host_cells c JOIN hosts h ON h.id = c.host_id WHERE h.name = ANY($1::text[]) ORDER BY c.host_id, c.cell"};

constexpr sql::Statement kTakes{
    "read_takes",
    "SELECT h.name, m.takes FROM (SELECT host_id, takes FROM vms WHERE host_id = ANY($1::bigint[]) AND takes <> '' UNION ALL"
    " SELECT host_id, takes FROM claims WHERE host_id = ANY($1::bigint[]) AND state = 'held' AND takes <> '') m"
    " JOIN hosts h ON h.id = m.host_id"};

constexpr sql::Statement kGroupMembers{
    "group_members",
    "SELECT g.name, m.vm, m.host_id FROM ("
    " SELECT id AS vm, host_id, group_id FROM vms WHERE group_id = ANY($1::bigint[]) AND host_id IS NOT NULL UNION ALL"
    " SELECT vm, host_id, group_id FROM claims WHERE group_id = ANY($1::bigint[]) AND state = 'held') m"
    " JOIN groups g ON g.id = m.group_id"};

constexpr sql::Statement kSpreadMembers{
    "spread_members",
    "SELECT m.spread_by, m.spread_group, m.spread_domain, m.vm, h.name, h.zone, h.rack FROM ("
    " SELECT id AS vm, host_id, spread_by, spread_group, spread_domain FROM vms"
    "  WHERE spread_group = ANY($1::text[]) AND spread_group <> '' AND host_id IS NOT NULL UNION ALL"
    " SELECT vm, host_id, spread_by, spread_group, spread_domain FROM claims"
    "  WHERE spread_group = ANY($1::text[]) AND spread_group <> '' AND state = 'held') m"
    " JOIN hosts h ON h.id = m.host_id"};

constexpr sql::Statement kStoreHosts{
    "store_host_use",
    "UPDATE hosts h SET vcpus_used = u.vcpus, memory_used_mib = u.memory_mib, disk_used_gib = u.disk_gib,"
    " claims_generation = u.generation"
    " FROM unnest($1::bigint[], $2::float8[], $3::float8[], $4::float8[], $5::bigint[])"
    " AS u (id, vcpus, memory_mib, disk_gib, generation) WHERE h.id = u.id"};

constexpr sql::Statement kStoreCells{
    "store_cell_use",
    "UPDATE host_cells c SET vcpus_used = u.vcpus, memory_used_mib = u.memory_mib"
    " FROM unnest($1::bigint[], $2::int[], $3::float8[], $4::float8[]) AS u (host_id, cell, vcpus, memory_mib)"
    " WHERE c.host_id = u.host_id AND c.cell = u.cell"};

constexpr sql::Statement kRaiseGroups{
    "raise_groups", "UPDATE groups SET claims_generation = claims_generation + 1 WHERE id = ANY($1::bigint[])"};

constexpr sql::Statement kEnsureDomains{
    "ensure_fault_domains",
    "INSERT INTO fault_domains (kind, name) SELECT kind, name FROM unnest($1::text[], $2::text[]) AS w (kind, name)"
    " ON CONFLICT DO NOTHING"};

struct Place {
  std::string zone, rack;
  bool operator==(const Place&) const = default;
};

void lock_groups(pqxx::work& transaction, const LedgerWanted& wanted, Ledger& ledger) {
  if (wanted.groups.empty()) return;
  for (const auto& row : sql::run(transaction, kLockGroups, sql::array_of(wanted.groups)))
    ledger.groups[sql::text(row[1])] = {
        .id = sql::i64(row[0]),
        .policy = parse_group_policy(sql::text(row[2])).value_or(GroupPolicy::kAntiAffinity),
        .max_per_host = sql::f64(row[3])};
}

// Where the hosts of spread orders are, whose racks and zones are locked then.
std::map<std::string, Place> lock_domains(pqxx::work& transaction, const LedgerWanted& wanted) {
  std::map<std::string, Place> places;
  if (wanted.spread_hosts.empty()) return places;
  std::set<std::string> names;
  for (const auto& [by, host] : wanted.spread_hosts) names.insert(host);
  for (const auto& row : sql::run(transaction, kPlaces, sql::array_of(names)))
    places[sql::text(row[0])] = {sql::text(row[1]), sql::text(row[2])};
  sql::Array kinds, domains;
  std::set<std::pair<SpreadBy, std::string>> once;
  for (const auto& [by, host] : wanted.spread_hosts) {
    const auto place = places.find(host);
    if (place == places.end()) continue;
    const std::string& name = by == SpreadBy::kRack ? place->second.rack : place->second.zone;
    if (name.empty() || !once.emplace(by, name).second) continue;
    kinds.add(by == SpreadBy::kRack ? "rack" : "zone");
    domains.add(name);
  }
  if (once.empty()) return places;
  sql::Array ids;
  for (const auto& row : sql::run(transaction, kLockDomains, kinds.text(), domains.text())) ids.add(sql::i64(row[0]));
  sql::run(transaction, kRaiseDomains, ids.text());
  return places;
}

void lock_hosts(pqxx::work& transaction, const LedgerWanted& wanted, Ledger& ledger) {
  for (const auto& row : sql::run(transaction, kLockHosts, sql::array_of(wanted.hosts)))
    ledger.hosts[sql::text(row[1])] = {.id = sql::i64(row[0]),
                                       .name = sql::text(row[1]),
                                       .source = sql::text(row[2]),
                                       .zone = sql::text(row[3]),
                                       .rack = sql::text(row[4]),
                                       .state = parse_host_state(sql::text(row[5])).value_or(HostState::kDown),
                                       .capacity = {sql::f64(row[6]), sql::f64(row[7]), sql::f64(row[8])},
                                       .used = {sql::f64(row[9]), sql::f64(row[10]), sql::f64(row[11])},
                                       .claims_generation = sql::i64(row[12])};
}

void read_cells(pqxx::work& transaction, const LedgerWanted& wanted, Ledger& ledger) {
  if (!wanted.cells) return;
  for (const auto& row : sql::run(transaction, kCells, sql::array_of(wanted.hosts)))
    ledger.hosts.at(sql::text(row[0]))
        .cells.push_back({sql::f64(row[1]), sql::f64(row[2]), sql::f64(row[3]), sql::f64(row[4])});
}

void read_takes_of_hosts(pqxx::work& transaction, const LedgerWanted& wanted, Ledger& ledger) {
  if (!wanted.takes) return;
  sql::Array ids;
  for (const auto& [name, host] : ledger.hosts) ids.add(host.id);
  for (const auto& row : sql::run(transaction, kTakes, ids.text()))
    use_takes(ledger.hosts.at(sql::text(row[0])), sql::text(row[1]), 1);
}

void read_group_members(pqxx::work& transaction, Ledger& ledger) {
  if (ledger.groups.empty()) return;
  sql::Array ids;
  for (const auto& [name, group] : ledger.groups) ids.add(group.id);
  for (const auto& row : sql::run(transaction, kGroupMembers, ids.text()))
    ledger.groups.at(sql::text(row[0])).members.push_back({sql::uuid(row[1]), sql::i64(row[2])});
}

void read_spread_members(pqxx::work& transaction, const LedgerWanted& wanted, Ledger& ledger) {
  if (wanted.spreads.empty()) return;
  std::set<std::string> groups;
  for (const auto& [by, group] : wanted.spreads) groups.insert(group);
  for (const auto& row : sql::run(transaction, kSpreadMembers, sql::array_of(groups))) {
    const SpreadBy by = parse_spread_by(sql::text(row[0])).value_or(SpreadBy::kNone);
    HostLedger host;
    host.name = sql::text(row[4]);
    host.zone = sql::text(row[5]);
    host.rack = sql::text(row[6]);
    ledger.spreads[{by, sql::text(row[1])}].push_back({sql::uuid(row[3]), sql::text(row[2]), place_of(host, by)});
  }
}

}  // namespace

Ledger lock_ledger(pqxx::work& transaction, const LedgerWanted& wanted) {
  Ledger ledger;
  lock_groups(transaction, wanted, ledger);
  const auto places = lock_domains(transaction, wanted);
  lock_hosts(transaction, wanted, ledger);
  for (const auto& [name, place] : places)
    if (const auto host = ledger.hosts.find(name);
        host != ledger.hosts.end() && Place{host->second.zone, host->second.rack} != place)
      throw pqxx::serialization_failure("a host changed its rack or zone");
  read_cells(transaction, wanted, ledger);
  read_takes_of_hosts(transaction, wanted, ledger);
  read_group_members(transaction, ledger);
  read_spread_members(transaction, wanted, ledger);
  return ledger;
}

void store_ledger(pqxx::work& transaction, const Ledger& ledger) {
  sql::Array ids, vcpus, memory_mib, disk_gib, generations, cell_hosts, cells, cell_vcpus, cell_memory_mib, groups;
  for (const auto& [name, host] : ledger.hosts) {
    if (!host.changed) continue;
    ids.add(host.id);
    vcpus.add(host.used.vcpus);
    memory_mib.add(host.used.memory_mib);
    disk_gib.add(host.used.disk_gib);
    generations.add(host.claims_generation);
    for (std::uint32_t cell = 0; cell < host.cells.size(); ++cell) {
      cell_hosts.add(host.id);
      cells.add(cell);
      cell_vcpus.add(host.cells[cell].vcpus_used);
      cell_memory_mib.add(host.cells[cell].memory_used_mib);
    }
  }
  for (const auto& [name, group] : ledger.groups)
    if (group.changed) groups.add(group.id);
  if (!ids.empty())
    sql::run(transaction, kStoreHosts, ids.text(), vcpus.text(), memory_mib.text(), disk_gib.text(),
             generations.text());
  if (!cells.empty())
    sql::run(transaction, kStoreCells, cell_hosts.text(), cells.text(), cell_vcpus.text(), cell_memory_mib.text());
  if (!groups.empty()) sql::run(transaction, kRaiseGroups, groups.text());
}

void ensure_fault_domains(pqxx::work& transaction, const std::set<std::string>& zones,
                          const std::set<std::string>& racks) {
  sql::Array kinds, names;
  for (const std::string& zone : zones) {
    kinds.add("zone");
    names.add(zone);
  }
  for (const std::string& rack : racks) {
    kinds.add("rack");
    names.add(rack);
  }
  if (!names.empty()) sql::run(transaction, kEnsureDomains, kinds.text(), names.text());
}

}  // namespace emplace
