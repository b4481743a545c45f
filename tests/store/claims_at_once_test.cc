// Three processes take claims at once on twenty nearly full hosts under every rule; afterwards the tables are checked
// by SQL that shares nothing with the store.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <future>
#include <memory>
#include <pqxx/pqxx>
#include <set>

#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

std::vector<Change> nearly_full_cluster() {
  std::vector<Change> changes;
  for (int i = 0; i < 20; ++i) {
    HostRow row = host_with_cells("host-" + std::to_string(i), 2, 16, 32768);
    row.rack = i == 19 ? "" : "rack-" + std::to_string(i % 4);
    row.vcpus_reserved = 2;
    changes.push_back(row);
    VmRow old;
    old.name = "old-" + std::to_string(i);
    old.host = row.name;
    old.state = VmState::kRunning;
    old.vcpus = 12;
    old.memory_mib = 24576;
    old.numa_nodes = 2;
    changes.push_back(old);
  }
  for (int i = 0; i < 6; ++i) {
    changes.push_back(GroupRow{.name = "near-" + std::to_string(i), .policy = GroupPolicy::kAffinity});
    changes.push_back(GroupRow{
        .name = "apart-" + std::to_string(i), .policy = GroupPolicy::kAntiAffinity, .max_per_host = 1.0 + i % 2});
  }
  return changes;
}

struct Pipe {
  void operator()(FILE* file) const { pclose(file); }
};

TEST(ClaimsAtOnce, OfThreeProcessesBreakNoRuleAndLoseNone) {
  const std::string connection = fresh_database(server().connection_string());
  PostgresStore store(options_for(connection));
  ASSERT_TRUE(store.write(nearly_full_cluster(), {}, {}, in(std::chrono::seconds(20))));

  std::vector<std::unique_ptr<FILE, Pipe>> workers;
  for (int i = 0; i < 3; ++i) {
    const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
    std::string quoted = connection;
    for (std::size_t at = 0; (at = quoted.find('\'', at)) != std::string::npos; at += 4) quoted.replace(at, 1, "'\\''");
    workers.emplace_back(
        popen((self + " --take-claims '" + quoted + "' " + std::to_string(i + 1) + " 60").c_str(), "r"));
  }
  std::multiset<std::string> told;
  std::vector<std::string> errors;
  for (auto& worker : workers) {
    std::array<char, 512> line{};
    while (fgets(line.data(), line.size(), worker.get()) != nullptr) {
      std::string text(line.data());
      while (!text.empty() && text.back() == '\n') text.pop_back();
      if (text.starts_with("claim ")) {
        told.insert(text.substr(6));
      } else {
        errors.push_back(text);
      }
    }
  }
  workers.clear();

  EXPECT_EQ(errors, std::vector<std::string>{});
  EXPECT_EQ(broken_rules(connection), std::vector<std::string>{});
  std::multiset<std::string> stored;
  for (const auto& row : query(connection, "SELECT id FROM claims WHERE state = 'held'")) stored.insert(row.at(0));
  EXPECT_EQ(told, stored);
  EXPECT_GT(told.size(), 50u);
  EXPECT_EQ(value(connection, "SELECT count(*) FROM events WHERE payload LIKE '%\"claim\"%'"),
            std::to_string(told.size()));
  EXPECT_EQ(value(connection, "SELECT max(seq) - count(*) FROM events"), "0");
}

// As another replica has it while it commits.
class Turn {
 public:
  explicit Turn(const std::string& connection) : session_(connection), transaction_(session_) {
    transaction_.exec("SELECT pg_advisory_xact_lock(727071616, hashtext('public'))");
  }

 private:
  pqxx::connection session_;
  pqxx::work transaction_;
};

TEST(ClaimsAtOnce, WaitForTheTurnOfAnotherReplicaTogether) {
  const std::string connection = fresh_database(server().connection_string());
  const auto waiting = [&] {
    return value(connection, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
  };

  bool together = false;
  // On a machine that is too busy the wait is given up before all have come.
  for (int i = 0; i < 20 && !together; ++i) {
    PostgresStore store(options_for(connection));
    ASSERT_TRUE(store.write({host("h", 1000, 4096000)}, {}, {}, in(std::chrono::seconds(20))));
    const auto take = [&] {
      return std::async(std::launch::async, [&] {
        return store.take({order(vm("v", 1, 1024), "h")}, {}, in(std::chrono::seconds(20))).has_value();
      });
    };
    auto turn = std::make_unique<Turn>(connection);
    std::vector<std::future<bool>> taken;
    taken.push_back(take());
    while (waiting() == "0" && taken[0].wait_for(std::chrono::seconds(0)) != std::future_status::ready) continue;
    for (int more = 0; more < 7; ++more) taken.push_back(take());
    while (store.state().queued_claims < 7 &&
           taken[0].wait_for(std::chrono::milliseconds(1)) != std::future_status::ready)
      continue;
    turn.reset();
    for (auto& one : taken) EXPECT_TRUE(one.get());
    together = store.state().committed_batches == 1;
  }
  EXPECT_TRUE(together);
}

TEST(ClaimsAtOnce, DoNotWaitLongForTheTurnOfAReplicaThatStandsStill) {
  const std::string connection = fresh_database(server().connection_string());
  PostgresStore store(options_for(connection));
  ASSERT_TRUE(store.write({host("h", 1000, 4096000)}, {}, {}, in(std::chrono::seconds(20))));
  const Turn turn(connection);
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(store.take({order(vm("v", 1, 1024), "h")}, {}, in(std::chrono::seconds(20))));
}

}  // namespace
}  // namespace emplace::test
