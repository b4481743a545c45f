#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "cli/failure.h"
#include "cli/simulate/replay.h"

namespace emplace::cli {
namespace {

class Files {
 public:
  Files() {
    std::string pattern = (std::filesystem::temp_directory_path() / "emplace-cli-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  ~Files() { std::filesystem::remove_all(directory_); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ / name) << text;
    return (directory_ / name).string();
  }

 private:
  std::filesystem::path directory_;
};

const Progress kSilent = [](std::size_t, std::size_t) {};

TraceHost host(const std::string& name, const std::string& rack, std::vector<Cell> cells) {
  TraceHost made{name, "", rack, 0, 0, 1000, std::move(cells)};
  for (const Cell& cell : made.cells) {
    made.vcpus += cell.vcpus;
    made.memory_mib += cell.memory_mib;
  }
  return made;
}

Trace two_racks() {
  Trace trace;
  trace.hosts = {host("a", "r1", {{8, 8192}, {8, 8192}}), host("b", "r1", {{16, 16384}, {0, 0}}),
                 host("c", "r2", {{8, 8192}, {8, 8192}})};
  return trace;
}

void arrive(Trace& trace, TraceVm vm) {
  trace.events.push_back({static_cast<double>(trace.vms.size()), true, trace.vms.size()});
  trace.vms.push_back(std::move(vm));
}

TEST(ReplayInProcess, BreaksNoRuleAndGivesRoomBack) {
  Trace trace = two_racks();
  trace.groups = {{"apart", "anti-affinity"}};
  for (int i = 0; i < 4; ++i)
    arrive(trace, {.name = "apart" + std::to_string(i), .vcpus = 1, .memory_mib = 64, .group = "apart"});
  arrive(trace, {.name = "big", .vcpus = 15, .memory_mib = 1024});
  arrive(trace, {.name = "wide", .vcpus = 12, .memory_mib = 64, .numa_nodes = 2});
  trace.events.push_back({10, false, 4});
  arrive(trace, {.name = "again", .vcpus = 15, .memory_mib = 1024});

  const Outcome outcome = replay_in_process(trace, "", kSilent);

  EXPECT_EQ(outcome.violations, std::vector<std::string>());
  EXPECT_EQ(outcome.placed, 6u);  // three hosts hold three of four that must be apart
  EXPECT_EQ(outcome.refused, 1u);
  EXPECT_EQ(outcome.latencies_ms.size(), 7u);
}

TEST(HuaweiTrace, ReadsGroupsRacksAndCells) {
  const Files files;
  const std::string requests = files.write(
      "vms.csv",
      "flavor_vcpus,flavor_ram,numa,strategy,group,domain\n8,16,1,,,\n32,64,2,affinity,0,\n4,8,1,fault_domain,0,2\n");
  const std::string hosts = files.write("pm.csv", "CPU1,RAM1,CPU2,RAM2\n16,32,32,64\n48,10,0,0\n");
  const std::string racks = files.write("racks.csv", "host_id,rack_id\nhost-0,3\nhost-1,7\n");

  const Trace trace = read_huawei(requests, hosts, racks);

  ASSERT_EQ(trace.vms.size(), 3u);
  EXPECT_EQ(trace.vms[0].memory_mib, 16 * 1024);
  EXPECT_EQ(trace.vms[1].numa_nodes, 2);
  EXPECT_EQ(trace.vms[1].group, "affinity-0");
  EXPECT_EQ(trace.groups.at("affinity-0"), "affinity");
  EXPECT_EQ(trace.vms[2].group, "");  // the same number under another strategy is another group
  EXPECT_EQ(trace.vms[2].spread_group, "fault_domain-0");
  EXPECT_EQ(trace.hosts[0].vcpus, 48);
  EXPECT_EQ(trace.hosts[1].cells[1].vcpus, 0);
  EXPECT_EQ(trace.hosts[1].rack, "rack-7");
}

TEST(CsvTrace, OrdersWhoLeavesBeforeWhoComes) {
  const Files files;
  const std::string requests =
      files.write("t.csv", "arrive_s,depart_s,name,vcpus,memory_mib\n5,9,early,1,1\n9,,late,1,1\n");
  const std::string hosts = files.write("h.json", R"({"hosts":[{"name":"a","vcpus":1,"memory_mib":1,"disk_gib":1}]})");

  const Trace trace = read_csv_trace(requests, hosts);

  ASSERT_EQ(trace.events.size(), 3u);
  EXPECT_TRUE(trace.has_departures());
  EXPECT_FALSE(trace.events[1].arrives);
  EXPECT_EQ(trace.events[2].vm, 1u);
  EXPECT_EQ(replay_policy(trace, Policy::kFirstFit, kSilent).placed, 2u);
}

TEST(CsvTrace, NamesTheLineOfAMistake) {
  const Files files;
  const std::string hosts = files.write("h.json", R"({"hosts":[{"name":"a","vcpus":1,"memory_mib":1,"disk_gib":1}]})");
  const std::string requests = files.write("t.csv", "vcpus,memory_mib\n1,1\n-3,1\n");
  try {
    read_csv_trace(requests, hosts);
    FAIL() << "read";
  } catch (const Failure& failure) {
    EXPECT_NE(std::string(failure.what()).find("t.csv:3: vcpus: wanted a number, found '-3'"), std::string::npos)
        << failure.what();
  }
}

TEST(Fleet, KeepsToCells) {
  Trace trace = two_racks();
  arrive(trace, {.name = "wide", .vcpus = 12, .memory_mib = 1024, .numa_nodes = 1});
  arrive(trace, {.name = "halves", .vcpus = 12, .memory_mib = 1024, .numa_nodes = 2});
  const Fleet fleet(trace);

  EXPECT_FALSE(fleet.fits(0, 0)) << "12 vcpus fit no cell of a";
  EXPECT_TRUE(fleet.fits(0, 1));
  EXPECT_TRUE(fleet.fits(1, 0));
  EXPECT_FALSE(fleet.fits(1, 1)) << "b's second cell is empty";
}

TEST(Fleet, SeesEveryBrokenRule) {
  Trace trace = two_racks();
  trace.groups = {{"together", "affinity"}, {"apart", "anti-affinity"}};
  for (const char* group : {"together", "together", "apart", "apart"}) {
    arrive(trace, {.name = "v", .vcpus = 1, .memory_mib = 1, .group = group});
  }
  arrive(trace, {.name = "s1", .vcpus = 1, .memory_mib = 1, .spread_group = "s", .spread_domain = "1"});
  arrive(trace, {.name = "s2", .vcpus = 1, .memory_mib = 1, .spread_group = "s", .spread_domain = "2"});
  Fleet fleet(trace);
  for (const std::size_t vm : {0u, 2u, 4u}) fleet.put({vm, 0});

  EXPECT_FALSE(fleet.broken_by({1, 0}));
  EXPECT_TRUE(fleet.broken_by({1, 2})) << "affinity";
  EXPECT_TRUE(fleet.broken_by({3, 0})) << "anti-affinity";
  EXPECT_FALSE(fleet.broken_by({3, 1}));
  EXPECT_TRUE(fleet.broken_by({5, 1})) << "another domain in the same rack";
  EXPECT_FALSE(fleet.broken_by({5, 2}));
}

TEST(Fleet, RemovingUndoesPutting) {
  Trace trace = two_racks();
  trace.groups = {{"apart", "anti-affinity"}};
  arrive(trace, {.name = "v",
                 .vcpus = 4,
                 .memory_mib = 64,
                 .numa_nodes = 2,
                 .group = "apart",
                 .spread_group = "s",
                 .spread_domain = "1"});
  arrive(trace, {.name = "w",
                 .vcpus = 16,
                 .memory_mib = 64,
                 .numa_nodes = 2,
                 .group = "apart",
                 .spread_group = "s",
                 .spread_domain = "2"});
  Fleet fleet(trace);
  const auto placed = fleet.fits(0, 0);
  ASSERT_TRUE(placed);
  fleet.put(*placed);
  EXPECT_FALSE(fleet.fits(1, 0));
  fleet.remove(*placed);
  EXPECT_TRUE(fleet.fits(1, 0));
  EXPECT_EQ(fleet.hosts_used(), 0u);
}

TEST(Policies, BreakNoRuleOnRandomTraces) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    Trace trace = two_racks();
    trace.groups = {{"affinity-0", "affinity"}, {"anti-affinity-0", "anti-affinity"}};
    for (int i = 0; i < 20; ++i) {
      TraceVm vm{.name = "v",
                 .vcpus = 1.0 + static_cast<double>(random() % 4),
                 .memory_mib = 512,
                 .numa_nodes = static_cast<int>(random() % 3)};
      if (random() % 4 == 0) vm.group = random() % 2 ? "affinity-0" : "anti-affinity-0";
      if (random() % 4 == 0) vm.spread_group = "s", vm.spread_domain = std::to_string(random() % 2);
      arrive(trace, vm);
    }
    for (const Policy policy : {Policy::kFirstFit, Policy::kBestFit}) {
      const Outcome outcome = replay_policy(trace, policy, kSilent);
      EXPECT_TRUE(outcome.violations.empty()) << outcome.violations.front();
      EXPECT_EQ(outcome.placed + outcome.refused, 20u);
      EXPECT_GT(outcome.placed, 0u);
    }
  }
}

TEST(Policies, StrandedIsWhatTheOtherResourceMakesUseless) {
  Trace trace;
  trace.hosts = {{.name = "a", .vcpus = 8, .memory_mib = 8192, .disk_gib = 1}};
  arrive(trace, {.name = "v", .vcpus = 4, .memory_mib = 8192});
  arrive(trace, {.name = "w", .vcpus = 4, .memory_mib = 8192});

  const Outcome outcome = replay_policy(trace, Policy::kFirstFit, kSilent);

  EXPECT_EQ(outcome.placed, 1u);
  EXPECT_DOUBLE_EQ(outcome.stranded.vcpus_share, 0.5);
  EXPECT_DOUBLE_EQ(outcome.stranded.memory_share, 0);
}

}  // namespace
}  // namespace emplace::cli
