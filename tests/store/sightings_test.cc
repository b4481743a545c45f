#include <gtest/gtest.h>

#include "service/core/act/sighting.h"
#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

class SightingsOfAStore : public testing::Test {
 protected:
  Deadline soon() const { return in(std::chrono::seconds(20)); }
  void SetUp() override {
    HostRow a = host_with_cells("a", 2, 8, 8192), b = host("b", 16, 16384);
    a.source = b.source = "libvirt";
    const auto written = store.write({a, b}, {}, {}, soon());
    ASSERT_TRUE(written) << written.error().message;
  }
  VmRequest running(VmRequest request) {
    ClaimOrder wanted = order(request, "a");
    wanted.start = true;
    const auto taken = store.take({wanted}, {}, soon());
    EXPECT_TRUE(store.confirm(taken->claims.front().id, VmState::kRunning, soon()));
    return request;
  }
  Claim move(const VmRequest& request) {
    ClaimOrder wanted = order(request, "b");
    wanted.move = true;
    return store.take({wanted}, {}, soon())->claims.front();
  }
  void report(VmReport report) {
    const auto written = store.vms_seen(std::move(report), soon());
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_EQ(broken_rules(connection), std::vector<std::string>());
  }
  std::string vm_text(const Uuid& id) {
    const auto rows = query(connection,
                            "SELECT v.name || ' ' || h.name || ' ' || v.state || ' ' || v.source || ' ' || v.vcpus ||"
                            " ' ' || v.memory_mib || ' ' || v.disk_gib FROM vms v JOIN hosts h ON h.id = v.host_id"
                            " WHERE v.id = '" +
                                to_string(id) + "'");
    return rows.empty() ? "none" : rows.front().front();
  }
  std::string used(const std::string& name) {
    return value(
        connection,
        "SELECT vcpus_used || ' ' || memory_used_mib || ' ' || disk_used_gib FROM hosts WHERE name = '" + name + "'");
  }
  std::string state_of(const std::string& name) {
    return value(connection, "SELECT state FROM hosts WHERE name = '" + name + "'");
  }
  std::string newest() { return value(connection, "SELECT seq FROM event_head"); }

  const std::string connection = fresh_database(server().connection_string());
  PostgresStore store{options_for(connection)};
};

DomainSeen domain(const Uuid& id, const std::string& name, double vcpus, double memory_mib) {
  DomainSeen seen;
  seen.id = id;
  seen.name = name;
  seen.vcpus = vcpus;
  seen.memory_mib = memory_mib;
  seen.disk_gib = 0;
  return seen;
}

TEST_F(SightingsOfAStore, TakeSizeAndNameOfAVmOfOursAndItsUseFollows) {
  VmRequest request = vm("v", 2, 512);
  request.disk_gib = 20;
  request.numa_nodes = 1;
  running(request);
  DomainSeen seen = domain(request.id, "renamed", 4, 4096);
  seen.disk_gib = 5;
  report({.host = "a", .seen = {seen}});
  EXPECT_EQ(vm_text(request.id), "renamed a running libvirt 4 4096 20") << "what was promised of the disk stays";
  EXPECT_EQ(used("a"), "4 4096 20");
  EXPECT_EQ(value(connection, "SELECT max(memory_used_mib) FROM host_cells"), "4096") << "in its cell";
  const std::string events = newest();
  report({.host = "a", .seen = {seen}});
  EXPECT_EQ(newest(), events) << "what is known is no news";
}

TEST_F(SightingsOfAStore, LeaveAVmThatMovesToWhoMovesIt) {
  const Uuid found = random_uuid();
  const DomainSeen seen = domain(found, "f", 1, 512);
  report({.host = "a", .seen = {seen}});
  ASSERT_EQ(vm_text(found), "f a running found 1 512 0");
  VmRequest request = vm("f", 1, 512);
  request.id = found;
  const Claim claim = move(request);

  report({.host = "a", .gone = {found}});
  report({.host = "b", .seen = {seen}, .arrived = {found}});

  EXPECT_EQ(vm_text(found), "f a running found 1 512 0");
  ASSERT_TRUE(store.confirm(claim.id, VmState::kRunning, soon()));
  EXPECT_EQ(vm_text(found), "f b running found 1 512 0") << "it is found as before";
  report({.host = "a", .gone = {found}});
  EXPECT_EQ(vm_text(found), "f b running found 1 512 0") << "an old report of the host that it left";
  report({.host = "b", .gone = {found}});
  EXPECT_EQ(vm_text(found), "none");
  EXPECT_EQ(used("b"), "0 0 0");
}

TEST_F(SightingsOfAStore, StopAVmOfOursThatIsGoneAndTakeOneThatArrived) {
  const VmRequest request = running(vm("v", 2, 512));
  report({.host = "b", .seen = {domain(request.id, "v", 2, 512)}});
  EXPECT_EQ(vm_text(request.id), "v a running libvirt 2 512 0") << "it is still on its host";
  report({.host = "b", .seen = {domain(request.id, "v", 2, 512)}, .arrived = {request.id}});
  EXPECT_EQ(vm_text(request.id), "v b running libvirt 2 512 0");
  EXPECT_EQ(used("a") + ", " + used("b"), "0 0 0, 2 512 0");
  report({.host = "b", .gone = {request.id}});
  EXPECT_EQ(vm_text(request.id), "v b stopped libvirt 2 512 0");
}

TEST_F(SightingsOfAStore, LeaveWhatAVmHadOfAHostThere) {
  VmRequest request = vm("v", 2, 512);
  request.numa_nodes = 1;
  ClaimOrder wanted = order(request, "a");
  wanted.start = true;
  wanted.takes = R"([["numa/0/cpu/1",1,1]])";
  const auto taken = store.take({wanted}, {}, soon());
  ASSERT_TRUE(taken && store.confirm(taken->claims.front().id, VmState::kRunning, soon()));
  const auto taken_of = [&] { return value(connection, "SELECT array_length(cells, 1) || takes FROM vms"); };
  ASSERT_EQ(taken_of(), R"(1[["numa/0/cpu/1",1,1]])");

  report({.host = "b", .seen = {domain(request.id, "v", 2, 512)}, .arrived = {request.id}});

  EXPECT_EQ(value(connection, "SELECT cells::text || takes FROM vms"), "{}");
  const auto event = change_from_json(value(connection, "SELECT payload FROM events ORDER BY seq DESC LIMIT 1"));
  ASSERT_TRUE(event);
  EXPECT_TRUE(std::get<VmRow>(*event).takes.empty() && std::get<VmRow>(*event).cells.empty());
}

TEST_F(SightingsOfAStore, CountAVmThatRunsTwiceOnBothHosts) {
  const VmRequest request = running(vm("v", 2, 512));
  report({.host = "b", .copies = {domain(request.id, "v", 2, 512)}});
  EXPECT_EQ(used("a") + ", " + used("b"), "2 512 0, 2 512 0");
  EXPECT_EQ(vm_text(copy_id(request.id, "b")), "v b running duplicate 2 512 0");
  report({.host = "b", .gone = {copy_id(request.id, "b")}});
  EXPECT_EQ(used("b"), "0 0 0");
}

TEST_F(SightingsOfAStore, MakeNoVmOfAClaimThatIsBeingStarted) {
  ClaimOrder wanted = order(vm("v", 1, 256), "a");
  wanted.start = true;
  const Claim claim = store.take({wanted}, {}, soon())->claims.front();
  DomainSeen seen = domain(claim.vm, "v", 1, 256);
  seen.claim = claim.id;
  report({.host = "a", .seen = {seen}});
  EXPECT_EQ(vm_text(claim.vm), "none");
}

TEST_F(SightingsOfAStore, KeepTheOperatorsWordAboutAHost) {
  HostRow seen = host("b", 16, 32768);
  seen.source = "libvirt";
  ASSERT_TRUE(store.set_host_state("b", HostState::kDisabled, {}, soon()));
  ASSERT_TRUE(store.host_lost("b", soon()));
  EXPECT_EQ(state_of("b"), "disabled");
  ASSERT_TRUE(store.host_seen(seen, soon()));
  EXPECT_EQ(state_of("b"), "disabled");
  EXPECT_EQ(value(connection, "SELECT memory_mib FROM hosts WHERE name = 'b'"), "32768");
  ASSERT_TRUE(store.host_lost("a", soon()));
  EXPECT_EQ(state_of("a"), "down");
  seen.name = "a";
  ASSERT_TRUE(store.host_seen(seen, soon()));
  EXPECT_EQ(state_of("a"), "enabled");
}

}  // namespace
}  // namespace emplace::test
