#include "tests/store/fixture.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <pqxx/pqxx>
#include <random>
#include <stdexcept>

#include "service/store/migrations.h"

namespace emplace::test {
namespace {

struct SharedServer {
  TemporaryDirectory directory;
  std::unique_ptr<Server> postgres;
};

std::optional<SharedServer>& shared_server() {
  static std::optional<SharedServer> shared;
  return shared;
}

// Each answers with the rows that break a rule.
constexpr struct {
  const char* sentence;
  const char* sql;
} kRules[] = {
    {"host oversold",
     "SELECT name FROM hosts WHERE vcpus_used > (vcpus - vcpus_reserved) * cpu_allocation_ratio"
     " OR memory_used_mib > (memory_mib - memory_reserved_mib) * ram_allocation_ratio"
     " OR disk_used_gib > (disk_gib - disk_reserved_gib) * disk_allocation_ratio"},
    {"use of a host is not the sum of what is on it",
     "SELECT h.name FROM hosts h LEFT JOIN (SELECT host_id, sum(counted(takes, 'VCPU', vcpus)) AS v,"
     " sum(counted(takes, 'MEMORY_MB', memory_mib)) AS m, sum(counted(takes, 'DISK_GB', disk_gib)) AS d FROM"
     " (SELECT host_id, vcpus, memory_mib, disk_gib, takes FROM vms UNION ALL"
     "  SELECT host_id, vcpus, memory_mib, disk_gib, takes FROM claims WHERE state = 'held') u GROUP BY host_id) s ON s.host_id = h.id"
     " WHERE h.vcpus_used <> coalesce(s.v, 0) OR h.memory_used_mib <> coalesce(s.m, 0) OR h.disk_used_gib <> coalesce(s.d, 0)"},
    {"cell oversold or not the sum of what is on it",
     "SELECT h.name || '/' || c.cell FROM host_cells c JOIN hosts h ON h.id = c.host_id LEFT JOIN"
     " (SELECT u.host_id, x.cell, sum(u.vcpus / cardinality(u.cells)) AS v, sum(u.memory_mib / cardinality(u.cells)) AS m FROM"
     "  (SELECT host_id, vcpus, memory_mib, cells FROM vms UNION ALL"
     "   SELECT host_id, vcpus, memory_mib, cells FROM claims WHERE state = 'held') u, unnest(u.cells) AS x (cell)"
     "  GROUP BY u.host_id, x.cell) s ON s.host_id = c.host_id AND s.cell = c.cell"
     " WHERE abs(c.vcpus_used - coalesce(s.v, 0)) > 1e-6 OR abs(c.memory_used_mib - coalesce(s.m, 0)) > 1e-3"
     " OR coalesce(s.v, 0) > c.vcpus * h.cpu_allocation_ratio + 1e-6"
     " OR coalesce(s.m, 0) > c.memory_mib * h.ram_allocation_ratio + 1e-3"},
    {"wrong number of cells", "SELECT vm_name FROM claims WHERE state = 'held' AND numa_nodes <> cardinality(cells)"},
    {"affinity group on several hosts",
     "SELECT g.name FROM groups g JOIN (SELECT group_id, host_id FROM vms WHERE host_id IS NOT NULL UNION ALL"
     " SELECT group_id, host_id FROM claims WHERE state = 'held') m ON m.group_id = g.id WHERE g.policy = 'affinity'"
     " GROUP BY g.name HAVING count(DISTINCT m.host_id) > 1"},
    {"too many vms of an anti-affinity group on a host",
     "SELECT g.name FROM groups g JOIN (SELECT group_id, host_id FROM vms WHERE host_id IS NOT NULL UNION ALL"
     " SELECT group_id, host_id FROM claims WHERE state = 'held') m ON m.group_id = g.id WHERE g.policy = 'anti-affinity'"
     " GROUP BY g.name, g.max_per_host, m.host_id HAVING count(*) > g.max_per_host"},
    {"two domains of a spread group in one rack",
     "SELECT m.spread_group FROM (SELECT host_id, spread_by, spread_group, spread_domain FROM vms UNION ALL"
     " SELECT host_id, spread_by, spread_group, spread_domain FROM claims WHERE state = 'held') m"
     " JOIN hosts h ON h.id = m.host_id WHERE m.spread_by = 'rack'"
     " GROUP BY m.spread_group, CASE WHEN h.rack = '' THEN h.name ELSE h.rack END HAVING count(DISTINCT m.spread_domain) > 1"},
    {"vm with two claims", "SELECT vm::text FROM claims WHERE state = 'held' GROUP BY vm HAVING count(*) > 1"},
    {"vm claimed where it is already",
     "SELECT v.name FROM vms v JOIN claims c ON c.vm = v.id AND c.state = 'held' AND c.host_id = v.host_id"},
};

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "store-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("can't make a directory");
  path_ = name;
  chmod(name.c_str(), 0711);  // as a data directory's parents must be
}
TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Log quiet_log() {
  return [](LogLevel, std::string_view) {};
}

Uuid random_uuid() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  Uuid id;
  for (auto& byte : id.bytes) byte = static_cast<std::uint8_t>(random());
  return id;
}

std::int64_t wall_clock_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Deadline in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

std::string onlooker_of(const std::string& connection) {
  const auto& shared = shared_server();
  const bool ours = shared && connection.starts_with(shared->postgres->connection_string());
  return ours ? connection + shared->postgres->onlooker() : connection;
}

Rows query(const std::string& connection, const std::string& sql) {
  pqxx::connection open(onlooker_of(connection));
  pqxx::nontransaction transaction(open);
  Rows rows;
  for (const auto& row : transaction.exec(sql)) {
    rows.emplace_back();
    for (const auto& field : row) rows.back().emplace_back(field.c_str(), field.size());
  }
  return rows;
}

std::string value(const std::string& connection, const std::string& sql) { return query(connection, sql).at(0).at(0); }

std::string fresh_database(const std::string& server_connection) {
  static std::atomic<int> count{0};
  const std::string name = fmt::format("test_{}", ++count);
  query(server_connection, "CREATE DATABASE " + name);
  const std::string connection = server_connection + " dbname=" + name;
  const auto migrated = migrate(connection, known_migrations(), in(std::chrono::seconds(60)));
  if (!migrated) throw std::runtime_error(migrated.error().message);
  return connection;
}

StoreOptions options_for(const std::string& connection, const std::string& replica) {
  return {.connection = connection,
          .replica = replica,
          .now_us = wall_clock_us,
          .new_uuid = random_uuid,
          .log = quiet_log()};
}

const Server& server() {
  auto& shared = shared_server();
  if (!shared) {
    shared.emplace();
    shared->postgres = start_server(shared->directory.path());
  }
  return *shared->postgres;
}

void stop_server() { shared_server().reset(); }

HostRow host(const std::string& name, double vcpus, double memory_mib, double disk_gib) {
  HostRow row;
  row.name = name;
  row.vcpus = vcpus;
  row.memory_mib = memory_mib;
  row.disk_gib = disk_gib;
  return row;
}

HostRow host_with_cells(const std::string& name, int cells, double vcpus, double memory_mib) {
  HostRow row = host(name, vcpus * cells, memory_mib * cells);
  row.cells.assign(static_cast<std::size_t>(cells), CellRow{vcpus, memory_mib});
  return row;
}

VmRequest vm(const std::string& name, double vcpus, double memory_mib) {
  VmRequest request;
  request.id = random_uuid();
  request.name = name;
  request.vcpus = vcpus;
  request.memory_mib = memory_mib;
  return request;
}

ClaimOrder order(const VmRequest& request, const std::string& host_name) {
  return {.id = random_uuid(), .vm = request, .host = host_name};
}

std::vector<std::string> broken_rules(const std::string& connection) {
  std::vector<std::string> broken;
  for (const auto& rule : kRules)
    for (const auto& row : query(connection, rule.sql))
      broken.push_back(fmt::format("{}: {}", rule.sentence, row.at(0)));
  return broken;
}

}  // namespace emplace::test
