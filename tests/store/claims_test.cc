#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

using std::chrono::seconds;

class ClaimsOnAStore : public testing::Test {
 protected:
  Deadline soon() const { return in(seconds(20)); }
  void put(std::vector<Change> changes) {
    const auto written = store.write(std::move(changes), {}, {}, soon());
    ASSERT_TRUE(written) << written.error().message;
  }
  // The code of the refusal, "" when it was taken, the message of an error.
  std::string outcome(const ClaimOrder& wanted) {
    const auto taken = store.take({wanted}, {}, soon());
    if (!taken) return taken.error().message;
    return taken->conflict ? taken->conflict->why.code : "";
  }
  std::string used(const std::string& name) {
    return value(connection, "SELECT vcpus_used || ' ' || memory_used_mib FROM hosts WHERE name = '" + name + "'");
  }

  const std::string connection = fresh_database(server().connection_string());
  std::atomic<std::int64_t> clock_ahead_us = 0;
  PostgresStore store{[this] {
    StoreOptions options = options_for(connection);
    options.now_us = [this] { return wall_clock_us() + clock_ahead_us; };
    return options;
  }()};
};

VmRequest in_group(VmRequest request, const std::string& group) {
  request.group = group;
  return request;
}
VmRequest spread(VmRequest request, SpreadBy by, const std::string& domain) {
  request.spread = {by, "s", domain};
  return request;
}

TEST_F(ClaimsOnAStore, AreRefusedForLackOfRoomByResource) {
  HostRow small = host("h", 4, 8192, 100);
  small.vcpus_reserved = 1;
  small.cpu_allocation_ratio = 2;
  put({small});
  const struct {
    double vcpus, memory_mib, disk_gib;
    const char* code;
  } cases[] = {{7, 1, 1, "capacity.vcpus"}, {1, 8193, 1, "capacity.memory"}, {1, 1, 101, "capacity.disk"},
               {6, 8192, 100, ""},          {1, 0, 0, "capacity.vcpus"},     {0, 0, 0, ""}};
  for (const auto& wanted : cases) {
    VmRequest request = vm("v", wanted.vcpus, wanted.memory_mib);
    request.disk_gib = wanted.disk_gib;
    EXPECT_EQ(outcome(order(request, "h")), wanted.code);
  }
  EXPECT_EQ(used("h"), "6 8192");
}

TEST_F(ClaimsOnAStore, AreRefusedByHostsThatAreNotEnabled) {
  put({host("h", 4, 8192)});
  for (const auto& [state, code] : {std::pair(HostState::kDisabled, "state.disabled"),
                                    {HostState::kMaintenance, "state.maintenance"},
                                    {HostState::kDown, "state.down"},
                                    {HostState::kEnabled, ""}}) {
    ASSERT_TRUE(store.set_host_state("h", state, {}, soon()));
    EXPECT_EQ(outcome(order(vm("v", 1, 1), "h")), code);
  }
  EXPECT_EQ(outcome(order(vm("v", 1, 1), "nowhere")), "state.removed");
}

TEST_F(ClaimsOnAStore, KeepTheFourGroupPolicies) {
  put({host("h1", 99, 99999), host("h2", 99, 99999), GroupRow{.name = "near", .policy = GroupPolicy::kAffinity},
       GroupRow{.name = "apart", .policy = GroupPolicy::kAntiAffinity, .max_per_host = 2},
       GroupRow{.name = "rather-near", .policy = GroupPolicy::kSoftAffinity},
       GroupRow{.name = "rather-apart", .policy = GroupPolicy::kSoftAntiAffinity}});
  const struct {
    const char *group, *host, *code;
  } cases[] = {{"near", "h1", ""},         {"near", "h2", "group.affinity"},
               {"near", "h1", ""},         {"apart", "h1", ""},
               {"apart", "h1", ""},        {"apart", "h1", "group.anti_affinity"},
               {"apart", "h2", ""},        {"rather-near", "h1", ""},
               {"rather-near", "h2", ""},  {"rather-apart", "h1", ""},
               {"rather-apart", "h1", ""}, {"none", "h1", "vm.group: no group \"none\""}};
  for (const auto& wanted : cases)
    EXPECT_EQ(outcome(order(in_group(vm("v", 1, 1), wanted.group), wanted.host)), wanted.code);
}

TEST_F(ClaimsOnAStore, KeepDomainsOfASpreadGroupInDifferentRacksOrZones) {
  const auto placed = [](const char* name, const char* zone, const char* rack) {
    HostRow row = host(name, 99, 99999);
    row.zone = zone;
    row.rack = rack;
    return row;
  };
  put({placed("a1", "z1", "r1"), placed("a2", "z1", "r1"), placed("b", "z1", "r2"), placed("c", "z2", "r3"),
       host("d", 99, 99999), host("e", 99, 99999)});
  const struct {
    SpreadBy by;
    const char *domain, *host, *code;
  } cases[] = {
      {SpreadBy::kRack, "1", "a1", ""}, {SpreadBy::kRack, "1", "a2", ""}, {SpreadBy::kRack, "2", "a2", "spread.rack"},
      {SpreadBy::kRack, "2", "b", ""},  {SpreadBy::kRack, "1", "d", ""},  {SpreadBy::kRack, "2", "d", "spread.rack"},
      {SpreadBy::kRack, "2", "e", ""},  {SpreadBy::kZone, "1", "a1", ""}, {SpreadBy::kZone, "2", "b", "spread.zone"},
      {SpreadBy::kZone, "2", "c", ""}};
  for (const auto& wanted : cases)
    EXPECT_EQ(outcome(order(spread(vm("v", 1, 1), wanted.by, wanted.domain), wanted.host)), wanted.code)
        << wanted.host << ' ' << wanted.domain;
}

TEST_F(ClaimsOnAStore, TakeCells) {
  put({host_with_cells("h", 2, 8, 8192)});
  VmRequest wide = vm("wide", 8, 8192);
  wide.numa_nodes = 2;
  VmRequest narrow = vm("narrow", 5, 1024);
  narrow.numa_nodes = 1;

  const auto taken = store.take({order(wide, "h")}, {}, soon());

  ASSERT_TRUE(taken && !taken->conflict);
  EXPECT_EQ(taken->claims.at(0).cells, (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(outcome(order(narrow, "h")), "capacity.numa");
  EXPECT_EQ(value(connection, "SELECT string_agg(vcpus_used::text, ' ' ORDER BY cell) FROM host_cells"), "4 4");
}

TEST_F(ClaimsOnAStore, AreTakenAllOrNone) {
  put({host("h1", 4, 4096), host("h2", 1, 1024)});

  const auto taken = store.take({order(vm("a", 2, 1024), "h1"), order(vm("b", 2, 1024), "h2")}, {}, soon());

  ASSERT_TRUE(taken && taken->conflict);
  EXPECT_EQ(taken->conflict->order, 1u);
  EXPECT_EQ(taken->conflict->why.code, "capacity.vcpus");
  EXPECT_EQ(used("h1"), "0 0");
  EXPECT_EQ(value(connection, "SELECT count(*) FROM claims"), "0");
}

TEST_F(ClaimsOnAStore, BecomeVmsWhenConfirmed) {
  put({host("h", 4, 4096)});
  const ClaimOrder wanted = order(vm("v", 2, 1024), "h");
  ASSERT_EQ(outcome(wanted), "");

  ASSERT_TRUE(store.confirm(wanted.id, VmState::kRunning, soon()));
  ASSERT_TRUE(store.confirm(wanted.id, VmState::kRunning, soon())) << "twice is no error";

  EXPECT_EQ(used("h"), "2 1024");
  EXPECT_EQ(value(connection, "SELECT v.state || ' ' || h.name FROM vms v JOIN hosts h ON h.id = v.host_id"),
            "running h");
  EXPECT_EQ(store.claim(wanted.id, soon()).value().state, "confirmed");
  EXPECT_EQ(store.claims({}, soon()).value().rows.size(), 0u);
  EXPECT_EQ(store.give_back(wanted.id, "", soon()).error().detail_code, "emplace.claim.confirmed");
  EXPECT_EQ(outcome(order(wanted.vm, "h")), "vm " + to_string(wanted.vm.id) + " is on host h already");
  EXPECT_EQ(broken_rules(connection), std::vector<std::string>{});
}

TEST_F(ClaimsOnAStore, NeverTakeMoreThanThereIsOfAThing) {
  put({host("h", 8, 8192)});
  const auto taking = [&](const std::string& takes) {
    ClaimOrder wanted = order(vm("v", 1, 1024), "h");
    wanted.takes = takes;
    return wanted;
  };
  const ClaimOrder first = taking(R"([["cpu/1",1,1],["card",1,2]])");
  ASSERT_EQ(outcome(first), "");
  EXPECT_EQ(outcome(taking(R"([["cpu/1",1,1]])")), "capacity.taken");
  ASSERT_EQ(outcome(taking(R"([["card",1,2]])")), "");
  EXPECT_EQ(outcome(taking(R"([["card",1,2]])")), "capacity.taken");

  ASSERT_TRUE(store.confirm(first.id, VmState::kRunning, soon()));
  EXPECT_EQ(outcome(taking(R"([["cpu/1",1,1]])")), "capacity.taken") << "the vm goes on taking what its claim took";
  put({VmRow{.id = first.vm.id, .name = "v", .host = "h", .state = VmState::kRunning, .vcpus = 1, .memory_mib = 1024}});
  EXPECT_EQ(outcome(taking(R"([["cpu/1",1,1]])")), "capacity.taken") << "a report of the vm does not say what it takes";

  ASSERT_TRUE(store.write({VmRemoved{first.vm.id}}, {}, {}, soon()));
  EXPECT_EQ(outcome(taking(R"([["cpu/1",1,1]])")), "");
}

TEST_F(ClaimsOnAStore, CountResourceClassesInThePlaceOfAmounts) {
  put({host("h", 4, 8192)});
  const auto pinned = [&](const std::string& name) {
    ClaimOrder wanted = order(vm(name, 4, 1024), "h");
    wanted.takes = R"([["resource/PCPU",4,6],["resource/VCPU",0,4]])";
    return wanted;
  };
  const ClaimOrder first = pinned("p");
  ASSERT_EQ(outcome(first), "");
  EXPECT_EQ(used("h"), "0 1024");
  EXPECT_EQ(outcome(pinned("q")), "capacity.taken");
  const ClaimOrder shared = order(vm("s", 4, 1024), "h");
  ASSERT_EQ(outcome(shared), "");
  EXPECT_EQ(outcome(order(vm("t", 1, 1024), "h")), "capacity.vcpus");

  ASSERT_TRUE(store.confirm(first.id, VmState::kRunning, soon()));
  EXPECT_EQ(used("h"), "4 2048");
  put({VmRow{.id = first.vm.id, .name = "p", .host = "h", .state = VmState::kRunning, .vcpus = 4, .memory_mib = 1024}});
  EXPECT_EQ(used("h"), "4 2048") << "who does not know of classes does not change them";
  put({VmRow{.id = first.vm.id,
             .name = "p",
             .host = "h",
             .state = VmState::kRunning,
             .source = "openstack",
             .vcpus = 4,
             .memory_mib = 1024,
             .takes = R"([["resource/PCPU",2,6],["resource/VCPU",2,4]])"}});
  EXPECT_EQ(used("h"), "6 2048") << "a cloud does";

  ASSERT_TRUE(store.write({VmRemoved{first.vm.id}}, {}, {}, soon()));
  ASSERT_TRUE(store.give_back(shared.id, "", soon()));
  EXPECT_EQ(used("h"), "0 0");
  EXPECT_EQ(broken_rules(connection), std::vector<std::string>{});
}

TEST_F(ClaimsOnAStore, LeaveWhatTheyTookWhenGivenBack) {
  put({host("h", 8, 8192)});
  ClaimOrder first = order(vm("v", 1, 1024), "h"), second = order(vm("w", 1, 1024), "h");
  first.takes = second.takes = R"([["cpu/1",1,1]])";
  ASSERT_EQ(outcome(first), "");

  ASSERT_TRUE(store.give_back(first.id, "", soon()));

  EXPECT_EQ(outcome(second), "");
}

TEST_F(ClaimsOnAStore, GiveTheirResourcesBackOnce) {
  put({host_with_cells("h", 2, 4, 4096)});
  ClaimOrder wanted = order(vm("v", 2, 1024), "h");
  wanted.vm.numa_nodes = 1;
  ASSERT_EQ(outcome(wanted), "");
  EXPECT_EQ(outcome(order(wanted.vm, "h")), "vm " + to_string(wanted.vm.id) + " has a claim already");

  EXPECT_TRUE(store.give_back(wanted.id, "", soon()));

  EXPECT_EQ(store.give_back(wanted.id, "", soon()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store.confirm(wanted.id, VmState::kRunning, soon()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(used("h"), "0 0");
  EXPECT_EQ(value(connection, "SELECT sum(vcpus_used) FROM host_cells"), "0");
  EXPECT_EQ(value(connection, "SELECT count(*) FROM vms"), "0");
}

TEST_F(ClaimsOnAStore, KeepAVmThatFailedToStart) {
  put({host("h", 4, 4096)});
  const ClaimOrder wanted = order(vm("v", 2, 1024), "h");
  ASSERT_EQ(outcome(wanted), "");

  ASSERT_TRUE(store.give_back(wanted.id, "no such image", soon()));

  EXPECT_EQ(value(connection, "SELECT state || ': ' || failure FROM vms WHERE host_id IS NULL"),
            "failed: no such image");
  EXPECT_EQ(outcome(order(wanted.vm, "h")), "") << "and may be placed again";
}

TEST_F(ClaimsOnAStore, ExpireByTheDatabasesClockWhateverOursSays) {
  put({host("h", 4, 4096)});
  const IdempotencyKey key{"key", "token", "body"};
  const auto records = [&](std::span<const Claim>) {
    return ClaimRecords{std::nullopt, std::pair(key, RememberedAnswer{})};
  };
  const ClaimOrder early = order(vm("early", 1, 1024), "h"), late = order(vm("late", 1, 1024), "h");
  clock_ahead_us = -3600'000'000;
  ASSERT_TRUE(store.take({early}, records, soon()));
  clock_ahead_us = 48ll * 3600'000'000;
  ASSERT_TRUE(store.take({late}, {}, soon()));

  EXPECT_EQ(store.expire_claims(soon()).value(), 0);
  EXPECT_TRUE(store.confirm(early.id, VmState::kRunning, soon()));
  EXPECT_TRUE(store.confirm(late.id, VmState::kRunning, soon()));
  EXPECT_TRUE(store.remembered(key, soon()).value());
  EXPECT_LT(std::abs(std::stoll(value(connection, "SELECT max(at_us) FROM events")) - wall_clock_us()), 60'000'000);
}

TEST_F(ClaimsOnAStore, ComeWithAWordAboutAClockThatDiffers) {
  clock_ahead_us = -5'000'000;

  store.keep_house();

  for (const Deadline deadline = soon();
       store.database().clock_ahead_us > -4'000'000 && std::chrono::steady_clock::now() < deadline;)
    std::this_thread::yield();
  EXPECT_NEAR(static_cast<double>(store.database().clock_ahead_us), -5e6, 1e6);
}

TEST_F(ClaimsOnAStore, ExpireUnlessTheyAreToBeStarted) {
  put({host("h", 4, 4096)});
  const ClaimOrder idle = order(vm("idle", 1, 1024), "h");
  ClaimOrder starting = order(vm("starting", 1, 1024), "h");
  starting.start = true;
  ASSERT_EQ(outcome(idle), "");
  ASSERT_EQ(outcome(starting), "");

  query(connection, "UPDATE claims SET expires_at_us = expires_at_us - 61000000");

  EXPECT_EQ(store.confirm(idle.id, VmState::kRunning, soon()).error().detail_code, "emplace.claim.expired");
  EXPECT_EQ(store.expire_claims(soon()).value(), 1);
  EXPECT_EQ(store.expire_claims(soon()).value(), 0);
  EXPECT_EQ(store.confirm(idle.id, VmState::kRunning, soon()).error().detail_code, "emplace.claim.expired");
  EXPECT_EQ(used("h"), "1 1024");
  const auto unfinished = store.unfinished_starts(soon()).value();
  ASSERT_EQ(unfinished.size(), 1u);
  EXPECT_EQ(unfinished[0].claim.id, starting.id);
  EXPECT_EQ(unfinished[0].vm.name, "starting");
}

TEST_F(ClaimsOnAStore, MoveAVm) {
  put({host_with_cells("h1", 1, 4, 4096), host_with_cells("h2", 1, 4, 4096),
       GroupRow{.name = "near", .policy = GroupPolicy::kAffinity}});
  ClaimOrder first = order(in_group(vm("v", 2, 1024), "near"), "h1");
  first.vm.numa_nodes = 1;
  first.start = true;
  ASSERT_EQ(outcome(first), "");
  ASSERT_TRUE(store.confirm(first.id, VmState::kRunning, soon()));
  ClaimOrder move = order(first.vm, "h2");
  move.move = true;

  ASSERT_EQ(outcome(move), "") << "a vm is no member against itself";
  EXPECT_EQ(used("h1") + ", " + used("h2"), "2 1024, 2 1024");
  ASSERT_TRUE(store.confirm(move.id, VmState::kRunning, soon()));

  EXPECT_EQ(used("h1") + ", " + used("h2"), "0 0, 2 1024");
  EXPECT_EQ(broken_rules(connection), std::vector<std::string>{});
  const auto stored = store.stored_vms(soon()).value();
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_EQ(stored[0].order.claim.host, "h2");
  EXPECT_EQ(stored[0].order.claim.id, first.id) << "the domain still carries the claim it was started with";
}

TEST_F(ClaimsOnAStore, KeepWhatIsNeededToStartAgain) {
  put({host("h", 4, 4096)});
  ClaimOrder wanted = order(vm("v \"quoted\" \\ ü", 2, 1024), "h");
  wanted.start = true;
  wanted.vm.image = "image";
  wanted.vm.domain_template = "<domain>\n</domain>";
  wanted.vm.parameters = {{"kernel", "/boot/vmlinuz"}, {"disk", "a,b"}};
  wanted.vm.traits = {"T1", "T2"};
  wanted.vm.spread = {SpreadBy::kZone, "g", "d"};
  ASSERT_EQ(outcome(wanted), "");
  ASSERT_TRUE(store.confirm(wanted.id, VmState::kRunning, soon()));

  const auto stored = store.stored_vms(soon()).value();

  ASSERT_EQ(stored.size(), 1u);
  const VmRequest& again = stored[0].order.vm;
  EXPECT_EQ(again.id, wanted.vm.id);
  EXPECT_EQ(again.name, wanted.vm.name);
  EXPECT_EQ(again.domain_template, wanted.vm.domain_template);
  EXPECT_EQ(again.parameters, wanted.vm.parameters);
  EXPECT_EQ(again.traits, wanted.vm.traits);
  EXPECT_EQ(again.spread.by, SpreadBy::kZone);
  EXPECT_EQ(stored[0].state, VmState::kRunning);
}

TEST_F(ClaimsOnAStore, AreStoredWithTheirDecisionAndAnswer) {
  put({host("h", 4, 4096)});
  const IdempotencyKey key{"key", "token", "body"};
  DecisionRecord decision;
  decision.id = random_uuid();
  decision.profile = "default";
  decision.picture = {"a", 3, 4};
  decision.request = "{ \"x\":1 }";
  decision.document = "{\"b\": 1.0}";
  const auto records = [&](std::span<const Claim> claims) {
    return ClaimRecords{decision, std::pair(key, RememberedAnswer{200, to_string(claims[0].id)})};
  };
  const ClaimOrder wanted = order(vm("v", 1, 1), "h");

  const auto first = store.take({wanted}, records, soon());
  const auto second = store.take({order(vm("w", 1, 1), "h")}, records, soon());

  ASSERT_TRUE(first && !first->conflict);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().detail_code, "emplace.idempotency.answered");
  EXPECT_EQ(value(connection, "SELECT count(*) FROM claims"), "1");
  EXPECT_EQ(store.remembered(key, soon()).value().value().body, to_string(wanted.id));
  EXPECT_EQ(store.decision(decision.id, soon()).value().document, decision.document);
  EXPECT_EQ(store.decision(decision.id, soon()).value().request, decision.request);
  EXPECT_EQ(store.remembered({"key", "token", "other"}, soon()).error().code, ErrorCode::kUnprocessable);
  EXPECT_FALSE(store.remembered({"other", "token", "body"}, soon()).value());
  EXPECT_FALSE(store.remembered({"key", "other", "body"}, soon()).value());
  query(connection, "UPDATE idempotency SET expires_at_us = expires_at_us - 90000000000");
  EXPECT_FALSE(store.remembered(key, soon()).value());
}

TEST_F(ClaimsOnAStore, ThatTheDatabaseCannotStoreFailAlone) {
  put({host("h", 99, 99999)});
  std::atomic<int> taken{0}, refused{0};

  std::vector<std::thread> callers;
  for (int i = 0; i < 16; ++i)
    callers.emplace_back([&, i] {
      const auto result = store.take({order(vm(i % 4 == 0 ? "\xff\xfe" : "fine", 1, 1), "h")}, {}, soon());
      ++(result && !result->conflict ? taken : refused);
    });
  for (auto& caller : callers) caller.join();

  EXPECT_EQ(taken, 12);
  EXPECT_EQ(refused, 4);
}

TEST_F(ClaimsOnAStore, ThatFailLeaveTheirKeyToTheOthers) {
  put({host("h", 999, 999999)});
  for (int round = 0; round < 20; ++round) {
    const IdempotencyKey key{"key" + std::to_string(round), "token", "body"};
    const auto records = [&](std::span<const Claim>) {
      return ClaimRecords{{}, std::pair(key, RememberedAnswer{200, "x"})};
    };
    std::atomic<int> taken{0};

    std::vector<std::thread> callers;
    for (int i = 0; i < 6; ++i)
      callers.emplace_back([&, i] {
        const auto result = store.take({order(vm(i % 2 == 0 ? "\xff\xfe" : "fine", 1, 1), "h")}, records, soon());
        if (result && !result->conflict) ++taken;
      });
    for (auto& caller : callers) caller.join();

    EXPECT_EQ(taken, 1);
    EXPECT_TRUE(store.remembered(key, soon()).value());
  }
}

TEST_F(ClaimsOnAStore, OfOneVmAreOne) {
  put({host("h", 99, 99999)});
  const VmRequest request = vm("v", 1, 1);
  PostgresStore other(options_for(connection, "b"));
  std::atomic<int> taken{0};

  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i)
    callers.emplace_back([&, i] {
      const auto result = (i % 2 == 0 ? store : other).take({order(request, "h")}, {}, soon());
      if (result && !result->conflict) ++taken;
    });
  for (auto& caller : callers) caller.join();

  EXPECT_EQ(taken, 1);
  EXPECT_EQ(broken_rules(connection), std::vector<std::string>{});
}

}  // namespace
}  // namespace emplace::test
