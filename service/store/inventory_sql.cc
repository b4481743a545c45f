#include "service/store/inventory_sql.h"

#include "service/store/operations.h"
#include "service/store/rows.h"
#include "service/store/sql.h"

namespace emplace::inventory {
namespace {

using sql::Array;
using sql::Statement;

constexpr Statement kVmIds{"vm_ids_by_name", "SELECT name, id FROM vms WHERE name = ANY($1::text[])"};
constexpr Statement kHeldClaims{
    "held_claims_of_vms",
    "SELECT c.id, c.vm, h.name, c.project FROM claims c JOIN hosts h ON h.id = c.host_id WHERE c.vm = ANY($1::uuid[]) AND c.state = 'held'"};
constexpr Statement kLockGroups{
    "lock_groups_for_write", "SELECT name, generation FROM groups WHERE name = ANY($1::text[]) ORDER BY id FOR UPDATE"};
constexpr Statement kLockHosts{
    "lock_hosts_for_write",
    "SELECT name, id, generation FROM hosts WHERE name = ANY($1::text[]) ORDER BY id FOR UPDATE"};
constexpr Statement kKnownGroups{"known_groups", "SELECT name FROM groups WHERE name = ANY($1::text[])"};
constexpr Statement kKnownHosts{"known_hosts", "SELECT name FROM hosts WHERE name = ANY($1::text[])"};
constexpr Statement kCellCounts{"cell_counts",
                                "SELECT h.name, count(c.cell) FROM hosts h LEFT JOIN host_cells c ON c.host_id = h.id"
                                " WHERE h.name = ANY($1::text[]) GROUP BY h.name"};

constexpr Statement kPutGroups{
    "put_groups",
    "INSERT INTO groups AS g (name, policy, max_per_host) SELECT * FROM unnest($1::text[], $2::text[], $3::float8[])"
    " ON CONFLICT (name) DO UPDATE SET policy = excluded.policy, max_per_host = excluded.max_per_host,"
    " generation = g.generation + 1 RETURNING name, generation"};
constexpr Statement kPutAggregates{
    "put_aggregates",
    "INSERT INTO aggregates (name, metadata) SELECT * FROM unnest($1::text[], $2::text[])"
    " ON CONFLICT (name) DO UPDATE SET metadata = excluded.metadata"};
constexpr Statement kNameAggregates{
    "name_aggregates",
    "INSERT INTO aggregates (name) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING name"};

constexpr Statement kPutHosts{
    "put_hosts",
    "INSERT INTO hosts AS h (name, source, zone, rack, state, aggregates, traits, vcpus, memory_mib, disk_gib, vcpus_reserved,"
    " memory_reserved_mib, disk_reserved_gib, cpu_allocation_ratio, ram_allocation_ratio, disk_allocation_ratio, cpu_util,"
    " memory_used_observed_mib, power_watts, observed_at_us, nova_state)"
    " SELECT name, source, zone, rack, state, aggregates::text[], traits::text[], vcpus, memory_mib, disk_gib, vcpus_reserved,"
    " memory_reserved_mib, disk_reserved_gib, cpu_ratio, ram_ratio, disk_ratio, cpu_util, memory_used_observed_mib,"
    " power_watts, observed_at_us, nova_state FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],"
    " $6::text[], $7::text[], $8::float8[], $9::float8[], $10::float8[], $11::float8[], $12::float8[], $13::float8[],"
    " $14::float8[], $15::float8[], $16::float8[], $17::float8[], $18::float8[], $19::float8[], $20::bigint[], $21::text[])"
    " AS n (name, source, zone, rack, state, aggregates, traits, vcpus, memory_mib, disk_gib, vcpus_reserved,"
    " memory_reserved_mib, disk_reserved_gib, cpu_ratio, ram_ratio, disk_ratio, cpu_util, memory_used_observed_mib,"
    " power_watts, observed_at_us, nova_state)"
    " ON CONFLICT (name) DO UPDATE SET source = excluded.source, zone = excluded.zone, rack = excluded.rack,"
    " state = excluded.state, aggregates = excluded.aggregates, traits = excluded.traits, vcpus = excluded.vcpus,"
    " memory_mib = excluded.memory_mib, disk_gib = excluded.disk_gib, vcpus_reserved = excluded.vcpus_reserved,"
    " memory_reserved_mib = excluded.memory_reserved_mib, disk_reserved_gib = excluded.disk_reserved_gib,"
    " cpu_allocation_ratio = excluded.cpu_allocation_ratio, ram_allocation_ratio = excluded.ram_allocation_ratio,"
    " disk_allocation_ratio = excluded.disk_allocation_ratio, cpu_util = excluded.cpu_util,"
    " memory_used_observed_mib = excluded.memory_used_observed_mib, power_watts = excluded.power_watts,"
    " observed_at_us = excluded.observed_at_us, nova_state = excluded.nova_state, generation = h.generation + 1"
    " RETURNING name, generation"};
constexpr Statement kPutHostState{"put_host_state",
                                  "UPDATE hosts SET state = $2, generation = generation + 1 WHERE name = $1"};
constexpr Statement kPutNovaState{"put_nova_state",
                                  "UPDATE hosts SET nova_state = $2, generation = generation + 1 WHERE name = $1"};
constexpr Statement kPutVmState{"put_vm_state", "UPDATE vms SET state = $2 WHERE id = $1::uuid RETURNING id"};
constexpr Statement kPutCells{
    "put_cells",
    "INSERT INTO host_cells AS c (host_id, cell, vcpus, memory_mib)"
    " SELECT h.id, n.cell, n.vcpus, n.memory_mib FROM unnest($1::text[], $2::int[], $3::float8[], $4::float8[])"
    "  AS n (host, cell, vcpus, memory_mib) JOIN hosts h ON h.name = n.host"
    " ON CONFLICT (host_id, cell) DO UPDATE SET vcpus = excluded.vcpus, memory_mib = excluded.memory_mib"};
constexpr Statement kCutCells{
    "cut_cells",
    "DELETE FROM host_cells c USING unnest($1::text[], $2::int[]) AS n (host, cells) JOIN hosts h ON h.name = n.host"
    " WHERE c.host_id = h.id AND c.cell >= n.cells"};

constexpr Statement kPutVms{
    "put_vms",
    "INSERT INTO vms (id, name, host_id, state, source, project, group_id, vcpus, memory_mib, disk_gib, numa_nodes, cells,"
    " spread_by, spread_group, spread_domain, takes)"
    " SELECT n.id, n.name, h.id, n.state, n.source, n.project, g.id, n.vcpus, n.memory_mib, n.disk_gib, n.numa_nodes,"
    " n.cells::int[], n.spread_by, n.spread_group, n.spread_domain, n.takes"
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::float8[],"
    " $9::float8[], $10::float8[], $11::int[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[]) AS n (id, name,"
    " host, state, source, project, vm_group, vcpus, memory_mib, disk_gib, numa_nodes, cells, spread_by, spread_group,"
    " spread_domain, takes)"
    " LEFT JOIN hosts h ON h.name = n.host LEFT JOIN groups g ON g.name = n.vm_group"
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, host_id = excluded.host_id, state = excluded.state,"
    " source = excluded.source, project = excluded.project, group_id = excluded.group_id, vcpus = excluded.vcpus,"
    " memory_mib = excluded.memory_mib, disk_gib = excluded.disk_gib, numa_nodes = excluded.numa_nodes,"
    " cells = excluded.cells, spread_by = excluded.spread_by, spread_group = excluded.spread_group,"
    " spread_domain = excluded.spread_domain, takes = excluded.takes"};
constexpr Statement kPutVmCells{
    "put_cells_of_vms",
    "UPDATE vms v SET cells = n.cells::int[] FROM unnest($1::uuid[], $2::text[]) AS n (id, cells)"
    " WHERE v.id = n.id"};
constexpr Statement kDropExpected{
    "drop_expected_vms",
    "DELETE FROM vms WHERE state = 'expected' AND host_id IS NULL AND name = ANY($1::text[]) AND NOT id = ANY($2::uuid[])"
    " RETURNING id, project"};

constexpr Statement kPutTraffic{
    "put_traffic",
    "INSERT INTO traffic SELECT * FROM unnest($1::text[], $2::text[], $3::float8[], $4::bigint[])"
    " ON CONFLICT (a, b) DO UPDATE SET bytes_per_s = excluded.bytes_per_s, observed_at_us = excluded.observed_at_us"};
constexpr Statement kDropTraffic{"drop_traffic",
                                 "DELETE FROM traffic t USING unnest($1::text[], $2::text[]) AS n (a, b)"
                                 " WHERE t.a = n.a AND t.b = n.b AND t.bytes_per_s <= 0"};
constexpr Statement kPutDataSources{
    "put_data_sources",
    "INSERT INTO data_sources SELECT * FROM unnest($1::text[], $2::text[], $3::float8[], $4::bigint[])"
    " ON CONFLICT (vm, source) DO UPDATE SET bytes_per_s = excluded.bytes_per_s, observed_at_us = excluded.observed_at_us"};
constexpr Statement kDropDataSources{"drop_data_sources",
                                     "DELETE FROM data_sources d USING unnest($1::text[], $2::text[]) AS n (vm, source)"
                                     " WHERE d.vm = n.vm AND d.source = n.source AND d.bytes_per_s <= 0"};
constexpr Statement kPutSourceHosts{
    "put_source_hosts",
    "INSERT INTO source_hosts SELECT source, hosts::text[] FROM unnest($1::text[], $2::text[]) AS n (source, hosts)"
    " ON CONFLICT (source) DO UPDATE SET hosts = excluded.hosts"};
constexpr Statement kDropSourceHosts{"drop_source_hosts", "DELETE FROM source_hosts WHERE hosts = '{}'"};
constexpr Statement kPutSample{
    "put_page_sample",
    "INSERT INTO page_samples (vm, pages, zero_pages, distinct_pages, rate, observed_at_us, hashes)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (vm) DO UPDATE SET pages = excluded.pages,"
    " zero_pages = excluded.zero_pages, distinct_pages = excluded.distinct_pages, rate = excluded.rate,"
    " observed_at_us = excluded.observed_at_us, hashes = excluded.hashes"};

#define USERS(columns)                                     \
  "(SELECT " columns                                       \
  " FROM vms WHERE host_id = ANY($1::bigint[]) UNION ALL " \
  " SELECT " columns " FROM claims WHERE host_id = ANY($1::bigint[]) AND state = 'held')"
constexpr Statement kHostIds{"host_ids", "SELECT id FROM hosts WHERE name = ANY($1::text[])"};
constexpr Statement kRecountHosts{
    "recount_hosts",
    "UPDATE hosts h SET vcpus_used = u.vcpus, memory_used_mib = u.memory_mib, disk_used_gib = u.disk_gib,"
    " claims_generation = h.claims_generation + 1 FROM (SELECT w.id,"
    " coalesce(sum(counted(m.takes, 'VCPU', m.vcpus)), 0) AS vcpus,"
    " coalesce(sum(counted(m.takes, 'MEMORY_MB', m.memory_mib)), 0) AS memory_mib,"
    " coalesce(sum(counted(m.takes, 'DISK_GB', m.disk_gib)), 0) AS disk_gib"
    " FROM unnest($1::bigint[]) AS w (id) LEFT JOIN " USERS(
        "host_id, vcpus, memory_mib, disk_gib, takes") " m ON m.host_id = w.id GROUP BY w.id) u WHERE h.id = u.id"};
constexpr Statement kRecountCells{
    "recount_cells",
    "UPDATE host_cells c SET vcpus_used = coalesce(u.vcpus, 0), memory_used_mib = coalesce(u.memory_mib, 0)"
    " FROM host_cells all_cells LEFT JOIN (SELECT m.host_id, x.cell, sum(m.vcpus / cardinality(m.cells)) AS vcpus,"
    " sum(m.memory_mib / cardinality(m.cells)) AS memory_mib FROM " USERS("host_id, vcpus, memory_mib, cells")
    " m, unnest(m.cells) AS x (cell) GROUP BY m.host_id, x.cell) u"
    " ON u.host_id = all_cells.host_id AND u.cell = all_cells.cell"
    " WHERE all_cells.host_id = ANY($1::bigint[]) AND c.host_id = all_cells.host_id AND c.cell = all_cells.cell"};
#undef USERS

constexpr Statement kHostsWithVms{
    "hosts_with_vms",
    "SELECT h.name FROM hosts h WHERE h.name = ANY($1::text[]) AND (EXISTS (SELECT 1 FROM vms v WHERE v.host_id = h.id)"
    " OR EXISTS (SELECT 1 FROM claims c WHERE c.host_id = h.id AND c.state = 'held'))"};
constexpr Statement kGroupsWithMembers{
    "groups_with_members",
    "SELECT g.name FROM groups g WHERE g.name = ANY($1::text[]) AND (EXISTS (SELECT 1 FROM vms v WHERE v.group_id = g.id)"
    " OR EXISTS (SELECT 1 FROM claims c WHERE c.group_id = g.id AND c.state = 'held'))"};
constexpr Statement kRemoveClaimsOfVms{"remove_claims_of_vms", "DELETE FROM claims WHERE vm = ANY($1::uuid[])"};
constexpr Statement kRemoveVms{"remove_vms", "DELETE FROM vms WHERE id = ANY($1::uuid[])"};
constexpr Statement kForgetGroups{"forget_groups",
                                  "UPDATE claims SET group_id = NULL WHERE state <> 'held' AND group_id IN"
                                  " (SELECT id FROM groups WHERE name = ANY($1::text[]))"};
constexpr Statement kRemoveGroups{"remove_groups", "DELETE FROM groups WHERE name = ANY($1::text[])"};
constexpr Statement kRemoveHosts{"remove_hosts", "DELETE FROM hosts WHERE name = ANY($1::text[])"};
constexpr Statement kForgetCopies{
    "forget_copies",
    "UPDATE source_hosts SET hosts = ARRAY(SELECT h FROM unnest(hosts) AS h WHERE NOT h = ANY($1::text[]))"
    " WHERE hosts && $1::text[] RETURNING source, hosts"};
constexpr Statement kRemoveAggregate{"remove_aggregate", "DELETE FROM aggregates WHERE name = $1 RETURNING name"};
constexpr Statement kLeaveAggregate{
    "leave_aggregate",
    "UPDATE hosts SET aggregates = array_remove(aggregates, $1), generation = generation + 1"
    " WHERE $1 = ANY(aggregates) RETURNING name"};

std::set<std::string> names(const pqxx::result& rows) {
  std::set<std::string> values;
  for (const auto& row : rows) values.insert(sql::text(row[0]));
  return values;
}

}  // namespace

std::map<Uuid, VmRow> vms_by_id(pqxx::work& transaction, const std::set<Uuid>& ids) {
  std::map<Uuid, VmRow> vms;
  for (VmRow& vm : read_vms(transaction, {ids.begin(), ids.end()})) {
    const Uuid id = vm.id;
    vms.emplace(id, std::move(vm));
  }
  return vms;
}

std::multimap<std::string, Uuid> vm_ids_by_name(pqxx::work& transaction, const std::set<std::string>& vm_names) {
  std::multimap<std::string, Uuid> ids;
  if (vm_names.empty()) return ids;
  for (const auto& row : sql::run(transaction, kVmIds, sql::array_of(vm_names)))
    ids.emplace(sql::text(row[0]), sql::uuid(row[1]));
  return ids;
}

std::vector<ClaimOfVm> held_claims_of(pqxx::work& transaction, const std::set<Uuid>& vms) {
  std::vector<ClaimOfVm> claims;
  if (vms.empty()) return claims;
  for (const auto& row : sql::run(transaction, kHeldClaims, sql::array_of(vms)))
    claims.push_back({sql::uuid(row[0]), sql::uuid(row[1]), sql::text(row[2]), sql::text(row[3])});
  return claims;
}

std::map<std::string, std::int64_t> lock_groups(pqxx::work& transaction, const std::set<std::string>& group_names) {
  std::map<std::string, std::int64_t> generations;
  if (group_names.empty()) return generations;
  for (const auto& row : sql::run(transaction, kLockGroups, sql::array_of(group_names)))
    generations.emplace(sql::text(row[0]), sql::i64(row[1]));
  return generations;
}

std::map<std::string, PresentHost> lock_hosts(pqxx::work& transaction, const std::set<std::string>& host_names) {
  std::map<std::string, PresentHost> hosts;
  if (host_names.empty()) return hosts;
  for (const auto& row : sql::run(transaction, kLockHosts, sql::array_of(host_names)))
    hosts.emplace(sql::text(row[0]), PresentHost{sql::i64(row[1]), sql::i64(row[2])});
  return hosts;
}

std::set<std::string> known_groups(pqxx::work& transaction, const std::set<std::string>& wanted) {
  return wanted.empty() ? wanted : names(sql::run(transaction, kKnownGroups, sql::array_of(wanted)));
}
std::set<std::string> known_hosts(pqxx::work& transaction, const std::set<std::string>& wanted) {
  return wanted.empty() ? wanted : names(sql::run(transaction, kKnownHosts, sql::array_of(wanted)));
}

std::map<std::string, std::uint32_t> cell_counts(pqxx::work& transaction, const std::set<std::string>& hosts) {
  std::map<std::string, std::uint32_t> counts;
  if (hosts.empty()) return counts;
  for (const auto& row : sql::run(transaction, kCellCounts, sql::array_of(hosts)))
    counts.emplace(sql::text(row[0]), static_cast<std::uint32_t>(sql::i64(row[1])));
  return counts;
}

void put_groups(pqxx::work& transaction, std::vector<GroupRow>& groups) {
  if (groups.empty()) return;
  Array group_names, policies, most;
  for (const GroupRow& group : groups) {
    group_names.add(group.name);
    policies.add(to_string(group.policy));
    most.add(group.max_per_host);
  }
  std::map<std::string, std::int64_t> generations;
  for (const auto& row : sql::run(transaction, kPutGroups, group_names.text(), policies.text(), most.text()))
    generations.emplace(sql::text(row[0]), sql::i64(row[1]));
  for (GroupRow& group : groups) group.generation = generations.at(group.name);
}

void put_aggregates(pqxx::work& transaction, const std::vector<AggregateRow>& aggregates) {
  if (aggregates.empty()) return;
  Array aggregate_names, metadata;
  for (const AggregateRow& aggregate : aggregates) {
    aggregate_names.add(aggregate.name);
    metadata.add(metadata_json(aggregate.metadata));
  }
  sql::run(transaction, kPutAggregates, aggregate_names.text(), metadata.text());
}

std::vector<std::string> name_aggregates(pqxx::work& transaction, const std::set<std::string>& wanted) {
  if (wanted.empty()) return {};
  const auto added = names(sql::run(transaction, kNameAggregates, sql::array_of(wanted)));
  return {added.begin(), added.end()};
}

namespace {
void put_cells(pqxx::work& transaction, const std::vector<HostRow>& hosts) {
  Array all_hosts, counts, cell_hosts, cells, vcpus, memory_mib;
  for (const HostRow& host : hosts) {
    all_hosts.add(host.name);
    counts.add(static_cast<std::int64_t>(host.cells.size()));
    for (std::uint32_t cell = 0; cell < host.cells.size(); ++cell) {
      cell_hosts.add(host.name);
      cells.add(cell);
      vcpus.add(host.cells[cell].vcpus);
      memory_mib.add(host.cells[cell].memory_mib);
    }
  }
  sql::run(transaction, kCutCells, all_hosts.text(), counts.text());
  if (!cells.empty())
    sql::run(transaction, kPutCells, cell_hosts.text(), cells.text(), vcpus.text(), memory_mib.text());
}
}  // namespace

void put_hosts(pqxx::work& transaction, std::vector<HostRow>& hosts) {
  if (hosts.empty()) return;
  Array host_names, sources, zones, racks, states, aggregates, traits, observed_at, nova_states;
  Array numbers[12];
  for (const HostRow& host : hosts) {
    host_names.add(host.name);
    sources.add(host.source);
    zones.add(host.zone);
    racks.add(host.rack);
    states.add(to_string(host.state));
    aggregates.add(sql::array(host.aggregates));
    traits.add(sql::array(host.traits));
    const std::optional<double> values[] = {host.vcpus,
                                            host.memory_mib,
                                            host.disk_gib,
                                            host.vcpus_reserved,
                                            host.memory_reserved_mib,
                                            host.disk_reserved_gib,
                                            host.cpu_allocation_ratio,
                                            host.ram_allocation_ratio,
                                            host.disk_allocation_ratio,
                                            host.cpu_util,
                                            host.memory_used_observed_mib,
                                            host.power_watts};
    for (std::size_t i = 0; i < std::size(values); ++i) numbers[i].add(values[i]);
    observed_at.add(host.observed_at_us);
    nova_states.add(host.nova_state);
  }
  std::map<std::string, std::int64_t> generations;
  for (const auto& row : sql::run(transaction, kPutHosts, host_names.text(), sources.text(), zones.text(), racks.text(),
                                  states.text(), aggregates.text(), traits.text(), numbers[0].text(), numbers[1].text(),
                                  numbers[2].text(), numbers[3].text(), numbers[4].text(), numbers[5].text(),
                                  numbers[6].text(), numbers[7].text(), numbers[8].text(), numbers[9].text(),
                                  numbers[10].text(), numbers[11].text(), observed_at.text(), nova_states.text()))
    generations.emplace(sql::text(row[0]), sql::i64(row[1]));
  for (HostRow& host : hosts) host.generation = generations.at(host.name);
  put_cells(transaction, hosts);
}

void put_vms(pqxx::work& transaction, std::span<const VmRow> vms) {
  for (; vms.size() > sql::kPortion; vms = vms.subspan(sql::kPortion)) put_vms(transaction, vms.first(sql::kPortion));
  if (vms.empty()) return;
  const auto column = [&](auto field) { return sql::column(vms, field); };
  sql::run(transaction, kPutVms, column(&VmRow::id), column(&VmRow::name), column(&VmRow::host), column(state_text),
           column(&VmRow::source), column(&VmRow::project), column(&VmRow::group), column(&VmRow::vcpus),
           column(&VmRow::memory_mib), column(&VmRow::disk_gib), column(&VmRow::numa_nodes),
           column([](const VmRow& vm) { return sql::array(vm.cells); }),
           column([](const VmRow& vm) { return to_string(vm.spread.by); }),
           column([](const VmRow& vm) { return vm.spread.group; }),
           column([](const VmRow& vm) { return vm.spread.domain; }), column(&VmRow::takes));
}

void put_cells_of_vms(pqxx::work& transaction, const std::vector<VmRow>& vms) {
  if (vms.empty()) return;
  sql::run(transaction, kPutVmCells, sql::column(vms, &VmRow::id),
           sql::column(vms, [](const VmRow& vm) { return sql::array(vm.cells); }));
}

std::vector<VmRemoved> drop_expected(pqxx::work& transaction, const std::vector<VmRow>& vms) {
  std::vector<VmRemoved> dropped;
  if (vms.empty()) return dropped;
  Array ids, vm_names;
  for (const VmRow& vm : vms) {
    ids.add(vm.id);
    vm_names.add(vm.name);
  }
  for (const auto& row : sql::run(transaction, kDropExpected, vm_names.text(), ids.text()))
    dropped.push_back({sql::uuid(row[0]), {}, sql::text(row[1])});
  return dropped;
}

void put_traffic(pqxx::work& transaction, const std::vector<TrafficRow>& edges) {
  if (edges.empty()) return;
  Array a, b, rates, times;
  for (const TrafficRow& edge : edges) {
    a.add(edge.a);
    b.add(edge.b);
    rates.add(edge.bytes_per_s);
    times.add(edge.observed_at_us);
  }
  sql::run(transaction, kPutTraffic, a.text(), b.text(), rates.text(), times.text());
  sql::run(transaction, kDropTraffic, a.text(), b.text());
}

void put_data_sources(pqxx::work& transaction, const std::vector<DataSourceRow>& edges) {
  if (edges.empty()) return;
  Array vms, sources, rates, times;
  for (const DataSourceRow& edge : edges) {
    vms.add(edge.vm);
    sources.add(edge.source);
    rates.add(edge.bytes_per_s);
    times.add(edge.observed_at_us);
  }
  sql::run(transaction, kPutDataSources, vms.text(), sources.text(), rates.text(), times.text());
  sql::run(transaction, kDropDataSources, vms.text(), sources.text());
}

void put_source_hosts(pqxx::work& transaction, const std::vector<SourceHostsRow>& rows) {
  if (rows.empty()) return;
  Array sources, hosts;
  for (const SourceHostsRow& row : rows) {
    sources.add(row.source);
    hosts.add(sql::array(row.hosts));
  }
  sql::run(transaction, kPutSourceHosts, sources.text(), hosts.text());
  sql::run(transaction, kDropSourceHosts);
}

void put_samples(pqxx::work& transaction, const std::vector<PageSampleRow>& samples) {
  for (const PageSampleRow& sample : samples) {
    const pqxx::binarystring hashes(sample.hashes.data(), sample.hashes.size() * sizeof(std::uint64_t));
    sql::run(transaction, kPutSample, sample.vm, sql::number(sample.pages), sql::number(sample.zero_pages),
             sql::number(sample.distinct_pages), sample.rate, sample.observed_at_us, hashes);
  }
}

void put_host_state(pqxx::work& transaction, const std::string& host, HostState state) {
  sql::run(transaction, kPutHostState, host, std::string(to_string(state)));
}
void put_nova_state(pqxx::work& transaction, const std::string& host, const std::string& nova_state) {
  sql::run(transaction, kPutNovaState, host, nova_state);
}
bool put_vm_state(pqxx::work& transaction, const Uuid& vm, VmState state) {
  return !sql::run(transaction, kPutVmState, to_string(vm), std::string(to_string(state))).empty();
}

void recount(pqxx::work& transaction, const std::set<std::string>& hosts) {
  if (hosts.empty()) return;
  Array ids;
  for (const auto& row : sql::run(transaction, kHostIds, sql::array_of(hosts))) ids.add(sql::i64(row[0]));
  sql::run(transaction, kRecountHosts, ids.text());
  sql::run(transaction, kRecountCells, ids.text());
}

std::set<std::string> hosts_with_vms(pqxx::work& transaction, const std::set<std::string>& hosts) {
  return names(sql::run(transaction, kHostsWithVms, sql::array_of(hosts)));
}
std::set<std::string> groups_with_members(pqxx::work& transaction, const std::set<std::string>& groups) {
  return names(sql::run(transaction, kGroupsWithMembers, sql::array_of(groups)));
}

void remove_vms(pqxx::work& transaction, const std::set<Uuid>& vms) {
  end_operations_of(transaction, sql::array_of(vms));
  sql::run(transaction, kRemoveClaimsOfVms, sql::array_of(vms));
  sql::run(transaction, kRemoveVms, sql::array_of(vms));
}
void remove_groups(pqxx::work& transaction, const std::set<std::string>& groups) {
  sql::run(transaction, kForgetGroups, sql::array_of(groups));
  sql::run(transaction, kRemoveGroups, sql::array_of(groups));
}
void remove_hosts(pqxx::work& transaction, const std::set<std::string>& hosts) {
  sql::run(transaction, kRemoveHosts, sql::array_of(hosts));
}

std::vector<SourceHostsRow> forget_copies(pqxx::work& transaction, const std::set<std::string>& hosts) {
  std::vector<SourceHostsRow> changed;
  for (const auto& row : sql::run(transaction, kForgetCopies, sql::array_of(hosts)))
    changed.push_back({sql::text(row[0]), sql::texts(row[1])});
  if (!changed.empty()) sql::run(transaction, kDropSourceHosts);
  return changed;
}

bool remove_aggregate(pqxx::work& transaction, const std::string& name) {
  return !sql::run(transaction, kRemoveAggregate, name).empty();
}
std::vector<std::string> leave_aggregate(pqxx::work& transaction, const std::string& name) {
  const auto left = names(sql::run(transaction, kLeaveAggregate, name));
  return {left.begin(), left.end()};
}

}  // namespace emplace::inventory
