#include "service/openstack/rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "service/core/json/json.h"

namespace emplace::openstack {
namespace {

Uuid id_of(std::uint8_t i) {
  Uuid id;
  id.bytes[15] = i;
  return id;
}

// One compute node "c1" with everything, and a vm on it.
Cloud small_cloud() {
  Cloud cloud;
  Hypervisor hypervisor{id_of(1), "n1", "c1"};
  hypervisor.type = "QEMU", hypervisor.version = 6002000, hypervisor.cpu_info = R"({"arch":"x86_64"})";
  cloud.hypervisors = {{hypervisor}, 1, {}, false};
  cloud.services = {{{"c1", {"c1", "z1"}}}, 1, {}, false};
  cloud.aggregates = {{{"ssd", {{"ssd", "true"}}, {"c1"}}}, 1, {}, false};
  cloud.groups = {{{id_of(7), GroupPolicy::kAffinity, 1, {id_of(9)}}}, 1, {}, false};
  Server server{id_of(9), "web", "c1", "n1", "p"};
  server.vm_state = "active", server.vcpus = 2, server.memory_mib = 2048, server.disk_gib = 20;
  cloud.servers = {{{server.id, server}}, 1, {}, false};
  Provider provider{id_of(1), "n1"};
  provider.inventories = {{"VCPU", {64, 2, 16}}, {"MEMORY_MB", {1000, 100, 1.5}}, {"DISK_GB", {500, 5, 1}}};
  provider.traits = {"HW_CPU_X86_AVX2"};
  cloud.providers = {{{provider.id, provider}}, 1, {}, false};
  return cloud;
}

HostRow only_host(const Cloud& cloud) { return rows_of(cloud).report.hosts.value().at(0); }

// A member of nova_state as JSON, or nothing.
std::string state_of(const HostRow& host, std::string_view key) {
  const auto document = JsonDocument::parse(host.nova_state);
  const auto found = document->root().find(key);
  return found ? to_json(*found) : "";
}

TEST(HostRows, HaveWhatNovasDatabaseSays) {
  Cloud cloud = small_cloud();
  cloud.reads_compute_nodes = true;
  EXPECT_FALSE(rows_of(cloud).report.hosts) << "they wait for it";
  cloud.compute_nodes.failed = true;
  EXPECT_EQ(state_of(only_host(cloud), "unread"),
            R"(["supported_instances","numa_topology","pci_stats","metrics","stats",)"
            R"("failed_builds","cell_uuid"])")
      << "unless it can't be read";

  ComputeNode node{
      {{"numa_topology", "null"}, {"pci_stats", "[]"}, {"metrics", "[]"}, {"stats", R"({"failed_builds":"2"})"}},
      {"supported_instances: odd"}};
  cloud.compute_nodes = {{{{id_of(1), node}}, {{"c1", "cell"}}}, 1, {}, false};
  const HostRow host = only_host(cloud);
  EXPECT_EQ(state_of(host, "unread"), R"(["supported_instances"])");
  EXPECT_EQ(state_of(host, "numa_topology"), "null");
  EXPECT_EQ(state_of(host, "stats"), R"({"failed_builds":"2"})");
  EXPECT_EQ(state_of(host, "cell_uuid"), R"("cell")");
  EXPECT_EQ(rows_of(cloud).notes, (std::vector<std::string>{"supported_instances: odd"}));

  cloud.compute_nodes.rows.rows.clear();
  EXPECT_EQ(rows_of(cloud).notes.size(), 1u) << "a host that the database does not know";
}

TEST(HostRows, HaveWhatPlacementSays) {
  const HostRow host = only_host(small_cloud());

  EXPECT_EQ(host.name, "c1");
  EXPECT_EQ(host.source, "openstack");
  EXPECT_EQ(host.state, HostState::kEnabled);
  EXPECT_EQ(host.zone, "z1");
  EXPECT_EQ(host.aggregates, (std::vector<std::string>{"ssd"}));
  EXPECT_EQ(host.vcpus, 64);
  EXPECT_EQ(host.vcpus_reserved, 2);
  EXPECT_EQ(host.cpu_allocation_ratio, 16);
  EXPECT_EQ(host.memory_reserved_mib, 100);
  EXPECT_EQ(host.disk_gib, 500);
  EXPECT_EQ(state_of(host, "hypervisor_version"), "6002000");
  EXPECT_EQ(state_of(host, "cpu_info"), R"("{\"arch\":\"x86_64\"}")");
  EXPECT_EQ(state_of(host, "service"), "");
}

TEST(HostRows, SayWhatNovasApisDoNotTell) {
  Cloud cloud = small_cloud();
  const auto is_unread = [&](const std::string& attribute) {
    return state_of(only_host(cloud), "unread").find('"' + attribute + '"') != std::string::npos;
  };
  for (const char* attribute :
       {"supported_instances", "numa_topology", "pci_stats", "metrics", "failed_builds", "cell_uuid", "stats"}) {
    EXPECT_TRUE(is_unread(attribute)) << attribute;
  }
  EXPECT_FALSE(is_unread("cpu_info"));

  cloud.hypervisors.rows[0].cpu_info.clear();  // as from microversion 2.88 on
  EXPECT_TRUE(is_unread("cpu_info"));
}

TEST(HostRows, AreNamedAfterTheirNodeWhereAServiceHasSeveral) {
  Cloud cloud = small_cloud();
  cloud.hypervisors.rows.push_back({id_of(2), "n2", "c1"});
  for (Hypervisor& one : cloud.hypervisors.rows) one.type = "ironic";
  cloud.servers.rows.at(id_of(9)).node = "n2";

  const CloudReport report = rows_of(cloud).report;

  EXPECT_EQ(report.hosts->at(0).name, "c1/n1");
  EXPECT_EQ(report.hosts->at(1).name, "c1/n2");
  EXPECT_EQ(report.vms->at(0).host, "c1/n2");
}

TEST(HostRows, KeepTheirNameWhereANodeWasRenamed) {
  Cloud cloud = small_cloud();
  cloud.hypervisors.rows.push_back({id_of(2), "n1.example.com", "c1"});
  cloud.servers.rows.at(id_of(9)).node = "n1.example.com";

  const CloudRows rows = rows_of(cloud);

  EXPECT_EQ(rows.report.hosts->at(0).name, "c1/n1");
  EXPECT_EQ(rows.report.hosts->at(0).state, HostState::kDown);
  EXPECT_EQ(rows.report.hosts->at(1).name, "c1");
  EXPECT_EQ(rows.report.vms->at(0).host, "c1");
  ASSERT_EQ(rows.report.findings.size(), 1u);
  EXPECT_EQ(rows.report.findings[0].host, "c1/n1");
  EXPECT_EQ(rows.report.findings[0].name, "leftover_node");
}

TEST(HostRows, AreAllNamedAfterTheirNodeWhereNobodyKnowsWhichIsInUse) {
  Cloud cloud = small_cloud();
  cloud.hypervisors.rows.push_back({id_of(2), "n1.example.com", "c1"});
  cloud.servers.rows.clear();
  const CloudReport report = rows_of(cloud).report;
  EXPECT_EQ(report.hosts->at(0).name, "c1/n1");
  EXPECT_EQ(report.hosts->at(1).name, "c1/n1.example.com");
}

TEST(HostRows, AreDownWithoutAProvider) {
  Cloud cloud = small_cloud();
  cloud.providers.rows.clear();

  const CloudRows rows = rows_of(cloud);

  EXPECT_EQ(rows.report.hosts->at(0).state, HostState::kDown);
  EXPECT_EQ(rows.report.hosts->at(0).vcpus, 0);
  ASSERT_EQ(rows.notes.size(), 1u);
  EXPECT_NE(rows.notes[0].find("host c1: Placement has no resource provider"), std::string::npos);
}

TEST(HostRows, HaveTheStateThatNovaSays) {
  Cloud cloud = small_cloud();
  ComputeService& service = cloud.services.rows.at("c1");

  service.disabled = true;
  EXPECT_EQ(only_host(cloud).state, HostState::kDisabled);
  EXPECT_EQ(state_of(only_host(cloud), "service"), R"({"disabled":true,"forced_down":false})");
  service.up = false;
  service.seen_at = "2026-11-21T10:00:00.000000";
  EXPECT_EQ(only_host(cloud).state, HostState::kDown);
  EXPECT_NE(state_of(only_host(cloud), "service").find(R"("last_seen_up":"2026-11-21T10:00:00.000000")"),
            std::string::npos);
  service = {"c1", "z1", false, true, true};
  EXPECT_EQ(only_host(cloud).state, HostState::kDown);
}

TEST(HostRows, TakeTheDiskOfASharingProvider) {
  Cloud cloud = small_cloud();
  Provider& own = cloud.providers.rows.at(id_of(1));
  own.inventories.erase("DISK_GB");
  EXPECT_EQ(only_host(cloud).disk_gib, 0);

  own.aggregates = {"agg"};
  Provider pool{id_of(2), "ceph"};
  pool.inventories = {{"DISK_GB", {9000, 0, 1}}};
  pool.traits = {"MISC_SHARES_VIA_AGGREGATE"};
  pool.aggregates = {"agg"};
  cloud.providers.rows.emplace(pool.id, pool);

  EXPECT_EQ(only_host(cloud).disk_gib, 9000);
}

TEST(HostRows, CountWorkThatIsHeavyOnDisks) {
  Cloud cloud = small_cloud();
  EXPECT_EQ(state_of(only_host(cloud), "num_io_ops"), "0");

  cloud.servers.rows.at(id_of(9)).task_state = "image_snapshot";
  EXPECT_EQ(state_of(only_host(cloud), "num_io_ops"), "1");
  EXPECT_EQ(state_of(only_host(cloud), "stats"), R"({"io_workload":"1"})");
}

TEST(VmRows, HaveHostGroupAndAmounts) {
  const CloudReport report = rows_of(small_cloud()).report;

  const VmRow& vm = report.vms->at(0);
  EXPECT_EQ(vm.id, id_of(9));
  EXPECT_EQ(vm.host, "c1");
  EXPECT_EQ(vm.source, "openstack");
  EXPECT_EQ(vm.project, "p");
  EXPECT_EQ(vm.group, to_string(id_of(7)));
  EXPECT_EQ(vm.state, VmState::kRunning);
  EXPECT_EQ(report.groups->at(0).name, vm.group);
}

TEST(VmRows, SayOnWhichUnknownHostTheyAre) {
  Cloud cloud = small_cloud();
  cloud.servers.rows.at(id_of(9)).host = "gone";

  const CloudRows rows = rows_of(cloud);

  EXPECT_EQ(rows.report.vms->at(0).host, "");
  ASSERT_EQ(rows.notes.size(), 1u);
  EXPECT_NE(rows.notes[0].find("on host gone"), std::string::npos);
}

TEST(VmRows, SayWhatElseTheyTakeOfTheirHost) {
  Cloud cloud = small_cloud();
  EXPECT_EQ(rows_of(cloud).report.vms->at(0).takes, "");

  Provider& provider = cloud.providers.rows.at(id_of(1));
  const Server& server = cloud.servers.rows.at(id_of(9));
  provider.inventories["PCPU"] = {56, 0, 1};
  provider.allocations[id_of(9)] = {
      {"PCPU", server.vcpus}, {"MEMORY_MB", server.memory_mib}, {"DISK_GB", server.disk_gib}};

  const VmRow vm = rows_of(cloud).report.vms->at(0);

  EXPECT_EQ(vm.vcpus, server.vcpus);
  EXPECT_EQ(resources_in(vm.takes), (ResourceAmounts{{"PCPU", server.vcpus}, {"VCPU", 0}}));
}

TEST(VmRows, AreThereForWhatPlacementHasGivenToOthers) {
  Cloud cloud = small_cloud();
  cloud.providers.rows.at(id_of(1)).allocations[id_of(77)] = {{"VCPU", 126}, {"CUSTOM_X", 1}};

  const CloudRows rows = rows_of(cloud);

  ASSERT_EQ(rows.report.vms->size(), 2u);
  const VmRow& orphan = rows.report.vms->at(1);
  EXPECT_EQ(orphan.name, "allocation of no server");
  EXPECT_EQ(orphan.host, "c1");
  EXPECT_EQ(orphan.vcpus, 126);
  EXPECT_EQ(resources_in(orphan.takes), (ResourceAmounts{{"CUSTOM_X", 1}}));
  ASSERT_EQ(rows.report.findings.size(), 1u);
  EXPECT_EQ(rows.report.findings[0].host, "c1");
  EXPECT_EQ(rows.report.findings[0].name, "orphan_allocations");
  EXPECT_NE(rows.report.findings[0].text.find("Placement has given CUSTOM_X 1;VCPU 126 to consumers"),
            std::string::npos);
}

TEST(VmState, IsThatOfVmAndTask) {
  const auto state = [](const char* vm, const char* task) {
    Server server{id_of(1)};
    server.vm_state = vm, server.task_state = task;
    return vm_state_of(server);
  };
  EXPECT_EQ(state("active", ""), VmState::kRunning);
  EXPECT_EQ(state("active", "migrating"), VmState::kMigrating);
  EXPECT_EQ(state("active", "resize_prep"), VmState::kMigrating);
  EXPECT_EQ(state("building", "spawning"), VmState::kStarting);
  EXPECT_EQ(state("stopped", ""), VmState::kStopped);
  EXPECT_EQ(state("error", ""), VmState::kFailed);
  EXPECT_EQ(state("shelved_offloaded", ""), VmState::kStopped);
}

TEST(HostsAndVms, AreThereTogetherOnceAllThatTheyNeedIsKnown) {
  const auto report_without = [](const std::function<std::int64_t&(Cloud&)>& read_at_us) {
    Cloud cloud = small_cloud();
    read_at_us(cloud) = 0;
    return rows_of(cloud).report;
  };
  const std::vector<std::function<std::int64_t&(Cloud&)>> needed = {
      [](Cloud& cloud) -> std::int64_t& { return cloud.hypervisors.read_at_us; },
      [](Cloud& cloud) -> std::int64_t& { return cloud.services.read_at_us; },
      [](Cloud& cloud) -> std::int64_t& { return cloud.aggregates.read_at_us; },
      [](Cloud& cloud) -> std::int64_t& { return cloud.servers.read_at_us; },
      [](Cloud& cloud) -> std::int64_t& { return cloud.providers.read_at_us; },
      [](Cloud& cloud) -> std::int64_t& { return cloud.groups.read_at_us; }};
  for (const auto& one : needed) {
    const CloudReport report = report_without(one);
    EXPECT_FALSE(report.hosts || report.vms || report.read_at_us != 0);
  }
  EXPECT_TRUE(report_without(needed[4]).aggregates && report_without(needed[4]).groups);
  Cloud cloud = small_cloud();
  cloud.providers.read_at_us = 7, cloud.servers.read_at_us = 5, cloud.hypervisors.read_at_us = 6;
  cloud.services.read_at_us = cloud.aggregates.read_at_us = 9;
  EXPECT_EQ(rows_of(cloud).report.read_at_us, 5);
}

TEST(HostsAndVms, DoNotWaitForGroupsThatCannotBeRead) {
  Cloud cloud = small_cloud();
  cloud.groups = {{}, 0, {}, true};

  const CloudReport report = rows_of(cloud).report;

  ASSERT_TRUE(report.hosts && report.vms && !report.groups);
  EXPECT_NE(state_of(report.hosts->at(0), "unread").find("\"server_groups\""), std::string::npos);
  EXPECT_EQ(state_of(only_host(small_cloud()), "unread").find("server_groups"), std::string::npos);
}

}  // namespace
}  // namespace emplace::openstack
