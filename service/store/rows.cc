#include "service/store/rows.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "service/store/sql.h"
#include "service/store/stored_claim.h"

namespace emplace {
namespace {

constexpr std::size_t kPage = 8192;

#define SELECT_HOSTS                                                                                                   \
  "SELECT h.id, h.name, h.source, h.zone, h.rack, h.state, h.aggregates, h.traits, h.vcpus, h.memory_mib, h.disk_gib," \
  " h.vcpus_reserved, h.memory_reserved_mib, h.disk_reserved_gib, h.cpu_allocation_ratio, h.ram_allocation_ratio,"     \
  " h.disk_allocation_ratio, h.cpu_util, h.memory_used_observed_mib, h.power_watts, h.observed_at_us, h.generation,"   \
  " h.nova_state, ARRAY(SELECT c.vcpus FROM host_cells c WHERE c.host_id = h.id ORDER BY c.cell),"                     \
  " ARRAY(SELECT c.memory_mib FROM host_cells c WHERE c.host_id = h.id ORDER BY c.cell) FROM hosts h "
constexpr sql::Statement kHostsNamed{"hosts_named", SELECT_HOSTS "WHERE h.name = ANY($1::text[])"};
constexpr sql::Statement kHostPage{"host_page", SELECT_HOSTS "WHERE h.id > $1 ORDER BY h.id LIMIT $2"};
#undef SELECT_HOSTS

#define SELECT_VMS                                                                                             \
  "SELECT v.id, v.name, coalesce(h.name, ''), v.state, v.source, v.project, coalesce(g.name, ''), v.vcpus,"    \
  " v.memory_mib, v.disk_gib, v.numa_nodes, v.cells, v.spread_by, v.spread_group, v.spread_domain, v.failure," \
  " v.vcpus_max, v.memory_max_mib, v.takes FROM vms v"                                                         \
  " LEFT JOIN hosts h ON h.id = v.host_id LEFT JOIN groups g ON g.id = v.group_id "
constexpr sql::Statement kVmsById{"vms_by_id", SELECT_VMS "WHERE v.id = ANY($1::uuid[])"};
constexpr sql::Statement kVmPage{"vm_page", SELECT_VMS "WHERE v.id > $1::uuid ORDER BY v.id LIMIT $2"};
#undef SELECT_VMS

constexpr sql::Statement kGroups{"all_groups", "SELECT name, policy, max_per_host, generation FROM groups ORDER BY id"};
constexpr sql::Statement kAggregates{"all_aggregates", "SELECT name, metadata FROM aggregates ORDER BY name"};
constexpr sql::Statement kTrafficPage{"traffic_page",
                                      "SELECT a, b, bytes_per_s, observed_at_us FROM traffic WHERE (a, b) > ($1, $2)"
                                      " ORDER BY a, b LIMIT $3"};
constexpr sql::Statement kTrafficOf{"traffic_of",
                                    "SELECT t.a, t.b, t.bytes_per_s, t.observed_at_us FROM traffic t"
                                    " JOIN unnest($1::text[], $2::text[]) AS n (a, b) ON t.a = n.a AND t.b = n.b"};
constexpr sql::Statement kDataSourcesOf{
    "data_sources_of",
    "SELECT d.vm, d.source, d.bytes_per_s, d.observed_at_us FROM data_sources d"
    " JOIN unnest($1::text[], $2::text[]) AS n (vm, source) ON d.vm = n.vm AND d.source = n.source"};
constexpr sql::Statement kSampleOf{
    "page_sample_of",
    "SELECT vm, pages, zero_pages, distinct_pages, rate, observed_at_us, hashes FROM page_samples WHERE vm = $1"};
constexpr sql::Statement kDataSources{
    "all_data_sources", "SELECT vm, source, bytes_per_s, observed_at_us FROM data_sources ORDER BY vm, source"};
constexpr sql::Statement kSourceHosts{"all_source_hosts", "SELECT source, hosts FROM source_hosts ORDER BY source"};
constexpr sql::Statement kSamplePage{
    "page_sample_page",
    "SELECT vm, pages, zero_pages, distinct_pages, rate, observed_at_us, hashes FROM page_samples WHERE vm > $1"
    " ORDER BY vm LIMIT 64"};

std::vector<double> numbers(const pqxx::field& field) {
  std::vector<double> values;
  for (const char* at = field.c_str(); *at != '\0';) {
    char* stop = nullptr;
    const double value = std::strtod(at, &stop);
    if (stop != at) values.push_back(value);
    at = stop != at ? stop : at + 1;
  }
  return values;
}

HostRow to_host(const pqxx::row& row) {
  HostRow host{.name = sql::text(row[1]),
               .source = sql::text(row[2]),
               .zone = sql::text(row[3]),
               .rack = sql::text(row[4]),
               .state = parse_host_state(sql::text(row[5])).value_or(HostState::kDown),
               .aggregates = sql::texts(row[6]),
               .traits = sql::texts(row[7]),
               .vcpus = sql::f64(row[8]),
               .memory_mib = sql::f64(row[9]),
               .disk_gib = sql::f64(row[10]),
               .vcpus_reserved = sql::f64(row[11]),
               .memory_reserved_mib = sql::f64(row[12]),
               .disk_reserved_gib = sql::f64(row[13]),
               .cpu_allocation_ratio = sql::f64(row[14]),
               .ram_allocation_ratio = sql::f64(row[15]),
               .disk_allocation_ratio = sql::f64(row[16]),
               .cpu_util = sql::maybe_f64(row[17]),
               .memory_used_observed_mib = sql::maybe_f64(row[18]),
               .power_watts = sql::maybe_f64(row[19]),
               .observed_at_us = sql::i64(row[20]),
               .nova_state = sql::text(row[22]),
               .generation = sql::i64(row[21])};
  const auto vcpus = numbers(row[23]), memory_mib = numbers(row[24]);
  for (std::size_t i = 0; i < std::min(vcpus.size(), memory_mib.size()); ++i)
    host.cells.push_back({vcpus[i], memory_mib[i]});
  return host;
}

VmRow to_vm(const pqxx::row& row) {
  return {
      .id = sql::uuid(row[0]),
      .name = sql::text(row[1]),
      .host = sql::text(row[2]),
      .state = parse_vm_state(sql::text(row[3])).value_or(VmState::kFailed),
      .source = sql::text(row[4]),
      .project = sql::text(row[5]),
      .group = sql::text(row[6]),
      .vcpus = sql::f64(row[7]),
      .memory_mib = sql::f64(row[8]),
      .disk_gib = sql::f64(row[9]),
      .numa_nodes = static_cast<std::uint32_t>(sql::i64(row[10])),
      .cells = sql::u32s(row[11]),
      .spread = {parse_spread_by(sql::text(row[12])).value_or(SpreadBy::kNone), sql::text(row[13]), sql::text(row[14])},
      .failure = sql::text(row[15]),
      .vcpus_max = sql::f64(row[16]),
      .memory_max_mib = sql::f64(row[17]),
      .takes = sql::text(row[18])};
}

TrafficRow to_traffic(const pqxx::row& row) {
  return {sql::text(row[0]), sql::text(row[1]), sql::f64(row[2]), sql::i64(row[3])};
}
DataSourceRow to_data_source(const pqxx::row& row) {
  return {sql::text(row[0]), sql::text(row[1]), sql::f64(row[2]), sql::i64(row[3])};
}

PageSampleRow to_sample(const pqxx::row& row) {
  PageSampleRow sample{.vm = sql::text(row[0]),
                       .pages = sql::f64(row[1]),
                       .zero_pages = sql::f64(row[2]),
                       .distinct_pages = sql::f64(row[3]),
                       .rate = sql::i64(row[4]),
                       .observed_at_us = sql::i64(row[5])};
  const pqxx::binarystring bytes(row[6]);
  sample.hashes.resize(bytes.size() / sizeof(std::uint64_t));
  if (!sample.hashes.empty())
    std::memcpy(sample.hashes.data(), bytes.data(), sample.hashes.size() * sizeof(std::uint64_t));
  static_assert(std::endian::native == std::endian::little);
  return sample;
}

using Take = std::function<void(std::vector<Change>)>;

template <typename Convert>
std::vector<Change> to_changes(const pqxx::result& rows, Convert convert) {
  std::vector<Change> changes;
  for (const auto& row : rows) changes.emplace_back(convert(row));
  return changes;
}

void read_host_pages(pqxx::work& transaction, const Take& take) {
  for (std::int64_t after = 0;;) {
    const auto rows = sql::run(transaction, kHostPage, after, kPage);
    if (rows.empty()) return;
    after = sql::i64(rows.back()[0]);
    take(to_changes(rows, to_host));
  }
}

void read_vm_pages(pqxx::work& transaction, const Take& take) {
  for (std::string after = to_string(Uuid{});;) {
    const auto rows = sql::run(transaction, kVmPage, after, kPage);
    if (rows.empty()) return;
    after = sql::text(rows.back()[0]);
    take(to_changes(rows, to_vm));
  }
}

void read_claim_pages(pqxx::work& transaction, const Take& take) {
  for (ListQuestion page{.limit = kPage};;) {
    const auto claims = read_held_claims(transaction, page);
    if (claims.empty()) return;
    page.after = ListMarker{.id = claims.back().claim.id};
    std::vector<Change> changes;
    for (const StoredClaim& claim : claims) changes.emplace_back(claim.vm);
    take(std::move(changes));
  }
}

void read_traffic(pqxx::work& transaction, const Take& take) {
  for (std::string a, b;;) {
    const auto rows = sql::run(transaction, kTrafficPage, a, b, kPage);
    if (rows.empty()) return;
    a = sql::text(rows.back()[0]);
    b = sql::text(rows.back()[1]);
    take(to_changes(rows, to_traffic));
  }
}

void read_samples(pqxx::work& transaction, const Take& take) {
  for (std::string after;;) {
    const auto rows = sql::run(transaction, kSamplePage, after);
    if (rows.empty()) return;
    after = sql::text(rows.back()[0]);
    take(to_changes(rows, to_sample));
  }
}

}  // namespace

std::vector<HostRow> read_hosts(pqxx::work& transaction, const std::vector<std::string>& names) {
  std::vector<HostRow> hosts;
  for (const auto& row : sql::run(transaction, kHostsNamed, sql::array(names))) hosts.push_back(to_host(row));
  return hosts;
}

std::vector<VmRow> read_vms(pqxx::work& transaction, const std::vector<Uuid>& ids) {
  std::vector<VmRow> vms;
  if (ids.empty()) return vms;
  for (const auto& row : sql::run(transaction, kVmsById, sql::array_of(ids))) vms.push_back(to_vm(row));
  return vms;
}

std::vector<GroupRow> read_groups(pqxx::work& transaction) {
  std::vector<GroupRow> groups;
  for (const auto& row : sql::run(transaction, kGroups))
    groups.push_back({sql::text(row[0]), parse_group_policy(sql::text(row[1])).value_or(GroupPolicy::kAntiAffinity),
                      sql::f64(row[2]), sql::i64(row[3])});
  return groups;
}

std::vector<AggregateRow> read_aggregates(pqxx::work& transaction) {
  std::vector<AggregateRow> aggregates;
  for (const auto& row : sql::run(transaction, kAggregates))
    aggregates.push_back({sql::text(row[0]), metadata_from_json(sql::text(row[1]))});
  return aggregates;
}

std::vector<TrafficRow> read_traffic(pqxx::work& transaction, const std::vector<TrafficRow>& edges) {
  std::vector<TrafficRow> known;
  sql::Array a, b;
  for (const TrafficRow& edge : edges) a.add(edge.a), b.add(edge.b);
  for (const auto& row : sql::run(transaction, kTrafficOf, a.text(), b.text())) known.push_back(to_traffic(row));
  return known;
}

std::vector<DataSourceRow> read_data_sources(pqxx::work& transaction, const std::vector<DataSourceRow>& edges) {
  std::vector<DataSourceRow> known;
  sql::Array vms, sources;
  for (const DataSourceRow& edge : edges) vms.add(edge.vm), sources.add(edge.source);
  for (const auto& row : sql::run(transaction, kDataSourcesOf, vms.text(), sources.text()))
    known.push_back(to_data_source(row));
  return known;
}

std::vector<SourceHostsRow> read_source_hosts(pqxx::work& transaction) {
  std::vector<SourceHostsRow> known;
  for (const auto& row : sql::run(transaction, kSourceHosts)) known.push_back({sql::text(row[0]), sql::texts(row[1])});
  return known;
}

std::optional<PageSampleRow> read_sample(pqxx::work& transaction, const std::string& vm) {
  const auto rows = sql::run(transaction, kSampleOf, vm);
  return rows.empty() ? std::nullopt : std::optional(to_sample(rows.front()));
}

void read_all(pqxx::work& transaction, const Take& take) {
  const auto take_rows = [&take](const auto& rows) { take({rows.begin(), rows.end()}); };
  take_rows(read_aggregates(transaction));
  read_host_pages(transaction, take);
  take_rows(read_groups(transaction));
  read_vm_pages(transaction, take);
  read_claim_pages(transaction, take);
  read_traffic(transaction, take);
  take(to_changes(sql::run(transaction, kDataSources), to_data_source));
  take_rows(read_source_hosts(transaction));
  read_samples(transaction, take);
}

}  // namespace emplace
