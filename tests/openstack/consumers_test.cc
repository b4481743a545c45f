#include "service/openstack/consumers.h"

#include <gtest/gtest.h>

#include <string>

namespace emplace::openstack {
namespace {

Uuid consumer_id(std::uint8_t number) {
  Uuid id;
  id.bytes[0] = 0xaa;
  id.bytes[15] = number;
  return id;
}

const Uuid kA = consumer_id(1), kB = consumer_id(2), kServer = consumer_id(11), kOther = consumer_id(12),
           kMigration = consumer_id(21), kOrphan = consumer_id(22);

Provider provider(const Uuid& id, std::map<Uuid, ResourceAmounts> allocations, const std::string& cpus = "VCPU") {
  Provider one;
  one.id = one.root = id;
  one.inventories = {{cpus, {128, 0, 1}}, {"MEMORY_MB", {65536, 0, 1}}, {"DISK_GB", {1000, 0, 1}}};
  one.allocations = std::move(allocations);
  return one;
}

ResourceAmounts taken(double vcpus) { return {{"VCPU", vcpus}, {"MEMORY_MB", 1024}, {"DISK_GB", 10}}; }

class ConsumersTest : public ::testing::Test {
 protected:
  void add_host(Provider one) {
    cloud_.hypervisors.rows.push_back({.id = one.id, .node = "n", .host = "h"});
    cloud_.providers.rows[one.id] = std::move(one);
  }
  Server& add_server(const Uuid& id, const Uuid& host, double vcpus) {
    Server& server = cloud_.servers.rows[id];
    server.id = id;
    server.vcpus = vcpus, server.memory_mib = 1024, server.disk_gib = 10;
    if (!host.is_zero()) server.host = "h", places_[id] = host;
    return server;
  }
  Consumptions count() { return consumptions(cloud_, root_providers(cloud_.providers.rows), places_); }

  // The VCPU of all that count at a host.
  double vcpus_on(const Uuid& host) {
    const Consumptions all = count();
    double sum = 0;
    const auto add = [&](const Consumption& one) {
      const auto vcpus = one.amounts.find("VCPU");
      if (one.host == host && vcpus != one.amounts.end()) sum += vcpus->second;
    };
    for (const auto& [id, one] : all.servers) add(one);
    for (const Consumption& one : all.others) add(one);
    return sum;
  }

  Cloud cloud_;
  std::map<Uuid, Uuid> places_;
};

TEST_F(ConsumersTest, CountAServerOnceWithTheLargerAmount) {
  add_host(provider(kA, {{kServer, taken(4)}}));
  add_server(kServer, kA, 2);
  EXPECT_EQ(vcpus_on(kA), 4);
  cloud_.servers.rows[kServer].vcpus = 8;
  EXPECT_EQ(vcpus_on(kA), 8);
  EXPECT_TRUE(count().others.empty());
}

TEST_F(ConsumersTest, CountAnOrphanAndAServerWithoutAllocation) {
  add_host(provider(kA, {{kOrphan, taken(126)}}));
  add_server(kServer, kA, 2);
  EXPECT_EQ(vcpus_on(kA), 128);
  const Consumptions all = count();
  ASSERT_EQ(all.others.size(), 1u);
  EXPECT_TRUE(all.others[0].server.is_zero());
}

TEST_F(ConsumersTest, KeepTheSourceOfAResizeThatWaitsForItsConfirmation) {
  add_host(provider(kA, {{kMigration, taken(100)}}));
  add_host(provider(kB, {{kServer, taken(100)}}));
  add_server(kServer, kB, 100);
  EXPECT_EQ(vcpus_on(kA), 100);
  EXPECT_EQ(vcpus_on(kB), 100);
}

TEST_F(ConsumersTest, CountAServerThatMovesOnBothHostsOnce) {
  add_host(provider(kA, {{kMigration, taken(8)}}));
  add_host(provider(kB, {{kServer, taken(8)}}));
  add_server(kServer, kA, 8);  // it is still there
  EXPECT_EQ(vcpus_on(kA), 8);
  EXPECT_EQ(vcpus_on(kB), 8);
  const Consumptions all = count();
  ASSERT_EQ(all.others.size(), 1u);
  EXPECT_EQ(all.others[0].server, kServer);
  EXPECT_NE(all.others[0].id, kServer);
}

TEST_F(ConsumersTest, CountBothOfAMoveAndAnOrphanBesideIt) {
  add_host(provider(kA, {{kMigration, taken(8)}, {kOrphan, taken(1)}}));
  add_host(provider(kB, {{kServer, taken(8)}}));
  add_server(kServer, kA, 8);
  add_server(kOther, kA, 2);  // no allocation anywhere
  EXPECT_EQ(vcpus_on(kA), 8 + 1 + 2);
}

TEST_F(ConsumersTest, PutAServerThatHasNoHostYetWhereItsRoomIs) {
  add_host(provider(kA, {{kServer, taken(4)}}));
  add_server(kServer, {}, 4);
  EXPECT_EQ(vcpus_on(kA), 4);
  EXPECT_EQ(count().servers.at(kServer).host, kA);
}

TEST_F(ConsumersTest, CountDedicatedCoresApart) {
  Provider two = provider(kA, {{kServer, {{"PCPU", 40}, {"MEMORY_MB", 1024}}}});
  two.inventories["PCPU"] = {56, 0, 1};
  add_host(two);
  Server& server = add_server(kServer, kA, 40);
  EXPECT_EQ(vcpus_on(kA), 0);  // the image asked for it: the flavor does not say so
  server.resources = {{"PCPU", 40}, {"VCPU", 0}};
  EXPECT_EQ(vcpus_on(kA), 0);
  EXPECT_EQ(count().servers.at(kServer).amounts.at("PCPU"), 40);
  cloud_.providers.rows[kA].inventories.erase("PCPU");
  cloud_.providers.rows[kA].allocations.clear();
  EXPECT_EQ(vcpus_on(kA), 40);
}

TEST_F(ConsumersTest, CountTheClassesOfAFlavor) {
  Provider ironic = provider(kA, {}, "CUSTOM_X");
  add_host(ironic);
  add_server(kServer, kA, 32).resources = {{"VCPU", 0}, {"MEMORY_MB", 0}, {"DISK_GB", 0}, {"CUSTOM_X", 1}};
  EXPECT_EQ(count().servers.at(kServer).amounts,
            (ResourceAmounts{{"CUSTOM_X", 1}, {"DISK_GB", 0}, {"MEMORY_MB", 0}, {"VCPU", 0}}));
}

TEST_F(ConsumersTest, SeeDevicesBelowTheirHosts) {
  add_host(provider(kA, {{kServer, taken(4)}}));
  for (const std::uint8_t number : {std::uint8_t{31}, std::uint8_t{32}}) {
    Provider device;
    device.id = consumer_id(number);
    device.root = kA;
    device.inventories = {{"VGPU", {4, 0, 1}}};
    device.traits = {"CUSTOM_GPU"};
    device.allocations = {{kServer, {{"VGPU", 1}}}};
    cloud_.providers.rows[device.id] = device;
  }
  add_server(kServer, kA, 4);

  const auto roots = root_providers(cloud_.providers.rows);

  ASSERT_EQ(roots.size(), 1u);
  EXPECT_EQ(roots.at(kA).inventories.at("VGPU").total, 8);
  EXPECT_EQ(roots.at(kA).traits, std::vector<std::string>{"CUSTOM_GPU"});
  EXPECT_EQ(count().servers.at(kServer).amounts.at("VGPU"), 2);
}

// ---- allocations that go without a word

TEST_F(ConsumersTest, OfADepartedServerCountNothingUntilPlacementNamesThemAgain) {
  add_host(provider(kA, {{kServer, taken(8)}}));
  EXPECT_EQ(vcpus_on(kA), 8);
  cloud_.departed.emplace(kServer, 1);
  EXPECT_EQ(vcpus_on(kA), 0);
}

TEST_F(ConsumersTest, AreUnfamiliarAtFirst) {
  add_host(provider(kA, {{kOrphan, taken(8)}}));
  EXPECT_TRUE(count().others.at(0).is_familiar);
  cloud_.unfamiliar.insert(kOrphan);
  EXPECT_FALSE(count().others.at(0).is_familiar);
  EXPECT_EQ(vcpus_on(kA), 8) << "they count all the same";
}

TEST_F(ConsumersTest, MakeAProviderDoubtfulThatAreNotWhereTheirServersAre) {
  const auto is_doubtful = [&](const Uuid& id) { return doubtful_providers(cloud_).contains(id); };
  add_host(provider(kA, {{kServer, taken(8)}}));
  EXPECT_FALSE(is_doubtful(kA)) << "servers were not read yet";
  cloud_.servers.read_at_us = cloud_.hypervisors.read_at_us = 1;
  EXPECT_TRUE(is_doubtful(kA)) << "of no server that is known";
  Server& server = add_server(kServer, kA, 8);
  EXPECT_FALSE(is_doubtful(kA));
  server.node = "another";
  EXPECT_TRUE(is_doubtful(kA));
  server.node = "n", server.host = "other";
  EXPECT_TRUE(is_doubtful(kA)) << "it has moved away";
  server.host = "h";
  Provider device = provider(kB, {{kServer, taken(0)}});
  device.root = kA;
  cloud_.providers.rows[kB] = device;
  EXPECT_FALSE(is_doubtful(kB)) << "a device is where its host is";
  EXPECT_EQ(other_consumers(cloud_), std::set<Uuid>());
}

}  // namespace
}  // namespace emplace::openstack
