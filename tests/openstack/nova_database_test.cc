#include "service/openstack/nova_database.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/openstack/maria_db.h"

namespace emplace::openstack {
namespace {

constexpr const char* kId1 = "00000000-0000-4000-8000-000000000001";
constexpr const char* kId2 = "00000000-0000-4000-8000-000000000002";

// The columns of Nova 26's tables that are read, and some that are not; the rights are those of docs/openstack.md.
constexpr const char* kNova = R"sql(
CREATE DATABASE cell1;
CREATE TABLE cell1.compute_nodes (id INT PRIMARY KEY AUTO_INCREMENT, updated_at DATETIME, deleted INT DEFAULT 0,
  uuid VARCHAR(36), host VARCHAR(255), hypervisor_hostname VARCHAR(255), free_disk_gb INT, cpu_info MEDIUMTEXT,
  numa_topology TEXT, pci_stats TEXT, supported_instances TEXT, metrics TEXT, stats TEXT);
CREATE DATABASE nova_api;
CREATE TABLE nova_api.cell_mappings (id INT PRIMARY KEY, uuid VARCHAR(36), name VARCHAR(255), database_connection TEXT);
CREATE TABLE nova_api.host_mappings (id INT PRIMARY KEY AUTO_INCREMENT, cell_id INT, host VARCHAR(255));
INSERT INTO nova_api.cell_mappings VALUES (1, '00000000-0000-0000-0000-000000000000', 'cell0', 'x'), (2, 'cafe', 'cell1', 'x');
INSERT INTO nova_api.host_mappings (cell_id, host) VALUES (2, 'c1'), (2, 'c2');
CREATE DATABASE empty;
CREATE USER 'emplace'@'%' IDENTIFIED BY 'p@ss/1';
GRANT SELECT (uuid, numa_topology, pci_stats, supported_instances, metrics, stats, updated_at, deleted, free_disk_gb)
  ON cell1.compute_nodes TO 'emplace'@'%';
GRANT SELECT (id, uuid) ON nova_api.cell_mappings TO 'emplace'@'%';
GRANT SELECT (cell_id, host) ON nova_api.host_mappings TO 'emplace'@'%';
GRANT CREATE ON empty.* TO 'emplace'@'%';
)sql";

class NovaDatabaseTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    maria = new MariaDb();
    maria->run(kNova);
  }
  static void TearDownTestSuite() {
    delete maria;
    maria = nullptr;
  }
  void SetUp() override { maria->run("DELETE FROM cell1.compute_nodes"); }

  static std::string url(const std::string& database) {
    return "mysql+pymysql://emplace:p%40ss%2F1@127.0.0.1:" + std::to_string(maria->port()) + "/" + database +
           "?charset=utf8";
  }
  static std::string by_socket(const std::string& database) {
    return "mysql://emplace:p%40ss%2F1@localhost/" + database + "?unix_socket=" + maria->socket();
  }
  static std::unique_ptr<NovaDatabase> open(std::vector<std::string> urls, int timeout_s = 10) {
    auto made = NovaDatabase::create({std::move(urls), std::chrono::seconds(timeout_s)});
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    return made ? *std::move(made) : nullptr;
  }
  static void add(const std::string& id, const std::string& more = "numa_topology = NULL", int age_s = 0) {
    maria->run("INSERT INTO cell1.compute_nodes SET uuid = '" + id +
               "', free_disk_gb = 1, updated_at = NOW() - INTERVAL " + std::to_string(age_s) + " SECOND, " + more);
  }
  static MariaDb* maria;
};

MariaDb* NovaDatabaseTest::maria = nullptr;

TEST_F(NovaDatabaseTest, TellsWhatItsTablesSay) {
  add(kId1, R"(numa_topology = '{"cells":[{"id":0}]}', pci_stats = '[{"count":2}]',
               supported_instances = '[["x86_64","kvm","hvm"]]', stats = '{"failed_builds":"3"}',
               metrics = '[{"name":"cpu.percent","value":0.29,"source":"s","timestamp":"2026-11-30T10:00:00"},{"name":"x","value":7.9}]')");
  add(kId2);

  const auto read = open({url("cell1"), by_socket("nova_api")})->read(true);

  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->rows.size(), 2u);
  const ComputeNode& first = read->rows.at(*parse_uuid(kId1));
  EXPECT_EQ(*first.find("numa_topology"), R"({"cells":[{"id":0}]})");
  EXPECT_EQ(*first.find("pci_stats"), R"([{"count":2}])");
  EXPECT_EQ(*first.find("supported_instances"), R"([["x86_64","kvm","hvm"]])");
  EXPECT_EQ(*first.find("stats"), R"({"failed_builds":"3"})");
  EXPECT_EQ(*first.find("metrics"), R"([{"name":"cpu.percent","value":28,"source":"s"},{"name":"x","value":7}])")
      << "as int(0.29 * 100) in Python";
  EXPECT_EQ(*read->rows.at(*parse_uuid(kId2)).find("numa_topology"), "null") << "it has none, which is known";
  EXPECT_EQ(*read->rows.at(*parse_uuid(kId2)).find("pci_stats"), "[]");
  EXPECT_EQ(read->cells, (std::map<std::string, std::string>{{"c1", "cafe"}, {"c2", "cafe"}}));
}

TEST_F(NovaDatabaseTest, LeavesOutWhatNovasSchedulerDoesNotRead) {
  add(kId1, "deleted = 5");
  add(kId2);
  maria->run("UPDATE cell1.compute_nodes SET free_disk_gb = NULL WHERE deleted = 0");
  EXPECT_TRUE(open({url("cell1")})->read(true)->rows.empty());
}

TEST_F(NovaDatabaseTest, ReadsWhatChanged) {
  add(kId1, "stats = '{}'", 7200);
  add(kId2, "stats = '{}'", 0);
  const auto database = open({url("cell1")});
  ASSERT_EQ(database->read(true)->rows.size(), 2u);
  EXPECT_EQ(database->read(false)->rows.size(), 1u) << "the other changed two hours before";
  EXPECT_EQ(database->read(true)->rows.size(), 2u);
}

TEST_F(NovaDatabaseTest, NamesTheDatabaseThatIsNotThere) {
  const auto error_of = [](const std::string& text) { return open({text}, 1)->read(true).error(); };
  const std::string wrong = "mysql://emplace:secret@127.0.0.1:" + std::to_string(maria->port()) + "/cell1";
  EXPECT_EQ(error_of(wrong).code, ErrorCode::kUnavailable);
  EXPECT_NE(error_of(wrong).message.find("nova_database cell1 on 127.0.0.1: Access denied"), std::string::npos);
  EXPECT_EQ(error_of(wrong).message.find("secret"), std::string::npos);
  EXPECT_EQ(error_of(url("empty")).message,
            "nova_database empty on 127.0.0.1: user emplace sees neither compute_nodes nor host_mappings");
  EXPECT_EQ(error_of("mysql://emplace@127.0.0.1:1/cell1").code, ErrorCode::kUnavailable);
}

TEST_F(NovaDatabaseTest, IsStopped) {
  // A row lock does not hold up readers; a table's does.
  add(kId1);
  const auto database = open({url("cell1")}, 30);
  std::thread locking([] { maria->run("LOCK TABLE cell1.compute_nodes WRITE; SELECT SLEEP(3)"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto began = std::chrono::steady_clock::now();
  std::thread stopping([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    database->stop();
  });
  const auto read = database->read(true);
  EXPECT_FALSE(read);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(1500));
  stopping.join();
  locking.join();
  EXPECT_FALSE(database->read(true)) << "it stays stopped";
}

TEST(NovaDatabaseUrl, IsSaidByWhatIsWrongWithIt) {
  const auto error_of = [](const std::string& text) { return NovaDatabase::create({{text}}).error().message; };
  EXPECT_EQ(error_of("postgresql://nova:secret@h/nova"),
            "[openstack] nova_database[0]: wanted mysql+pymysql://USER:PASSWORD@HOST/DATABASE, found postgresql://");
  EXPECT_NE(error_of("nova").find("found no URL"), std::string::npos);
  EXPECT_NE(error_of("mysql://h/nova").find("found no user"), std::string::npos);
  EXPECT_NE(error_of("mysql://u:secret@h").find("found no database"), std::string::npos);
  EXPECT_NE(error_of("mysql:///nova").find("found no host"), std::string::npos);
  EXPECT_NE(error_of("mysql://u:secret@h/nova?tls=yes").find(R"(found "tls")"), std::string::npos);
  for (const char* text : {"mysql://u:secret@h", "mysql://u:secret@h/nova?tls=yes", "mysql+x://u:secret@h:port/nova"}) {
    EXPECT_EQ(error_of(text).find("secret"), std::string::npos) << text;
  }
  EXPECT_EQ(NovaDatabase::create({}).value(), nullptr);
}

}  // namespace
}  // namespace emplace::openstack
