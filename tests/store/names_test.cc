// Orders that want the name of their vm for themselves: against vms, against claims, within one batch, and between two
// replicas at once.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <thread>

#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

using std::chrono::seconds;

class UniqueNames : public testing::Test {
 protected:
  UniqueNames() { put({host("h1", 64, 65536), host("h2", 64, 65536)}); }
  Deadline soon() const { return in(seconds(20)); }
  void put(std::vector<Change> changes) {
    const auto written = store.write(std::move(changes), {}, {}, soon());
    ASSERT_TRUE(written) << written.error().message;
  }
  Result<Claim> take(const ClaimOrder& wanted) {
    const auto taken = store.take({wanted}, {}, soon());
    if (!taken) return tl::unexpected(taken.error());
    if (taken->conflict) return fail(ErrorCode::kConflict, taken->conflict->why.code);
    return taken->claims.front();
  }
  // "taken", "existing", or the code of the refusal.
  std::string outcome(const ClaimOrder& wanted) {
    const auto claim = take(wanted);
    if (!claim) return claim.error().detail_code.empty() ? claim.error().message : claim.error().detail_code;
    return claim->existing ? "existing" : "taken";
  }
  std::string held() { return value(connection, "SELECT count(*) FROM claims WHERE state = 'held'"); }

  const std::string connection = fresh_database(server().connection_string());
  PostgresStore store{options_for(connection)};
};

ClaimOrder unique(VmRequest request, const std::string& host = "h1") {
  ClaimOrder result = order(request, host);
  result.unique_name = result.any_id = true;
  return result;
}
VmRequest of_project(VmRequest request, const std::string& project) {
  request.project = project;
  return request;
}

TEST_F(UniqueNames, GiveBackTheHeldClaimOfAnEqualRequest) {
  const auto first = take(unique(vm("web", 2, 4096)));
  ASSERT_TRUE(first) << first.error().message;

  const auto again = take(unique(vm("web", 2, 4096), "h2"));

  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->existing);
  EXPECT_EQ(again->id, first->id);
  EXPECT_EQ(again->vm, first->vm);
  EXPECT_EQ(again->host, "h1");
  EXPECT_EQ(held(), "1");
  EXPECT_EQ(value(connection, "SELECT vcpus_used FROM hosts WHERE name = 'h1'"), "2");
}

TEST_F(UniqueNames, RefuseEverythingElseOfTheName) {
  ASSERT_EQ(outcome(unique(vm("web", 2, 4096))), "taken");
  VmRequest larger = vm("web", 4, 4096);
  VmRequest elsewhere = vm("web", 2, 4096);
  elsewhere.only_hosts = {"h2"};
  ClaimOrder started = unique(vm("web", 2, 4096));
  started.start = true;
  ClaimOrder with_id = unique(vm("web", 2, 4096));
  with_id.any_id = false;
  for (const ClaimOrder& other : {unique(larger), unique(elsewhere), started, with_id})
    EXPECT_EQ(outcome(other), "emplace.vm.name_taken");
  EXPECT_EQ(held(), "1");
}

TEST_F(UniqueNames, AreUniquePerProject) {
  EXPECT_EQ(outcome(unique(of_project(vm("web", 1, 1), "a"))), "taken");
  EXPECT_EQ(outcome(unique(of_project(vm("web", 1, 1), "b"))), "taken");
  EXPECT_EQ(outcome(unique(of_project(vm("web", 1, 1), "b"))), "existing");
  EXPECT_EQ(outcome(unique(vm("web", 1, 1))), "taken");
}

TEST_F(UniqueNames, AreRefusedByVmsThatNoClaimBrought) {
  VmRow imported;
  imported.name = "db";
  imported.host = "h2";
  imported.state = VmState::kRunning;
  imported.vcpus = imported.memory_mib = 1;
  VmRow failed = imported;
  failed.name = "broken";
  failed.host.clear();
  failed.state = VmState::kFailed;
  put({imported, failed});
  const auto refused = take(unique(vm("db", 1, 1)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail_code, "emplace.vm.name_taken");
  EXPECT_NE(refused.error().message.find("running on h2"), std::string::npos) << refused.error().message;
  EXPECT_EQ(outcome(unique(vm("broken", 1, 1))), "emplace.vm.name_taken");
  EXPECT_EQ(outcome(order(vm("db", 1, 1), "h1")), "taken");  // who does not ask for it may still have two
}

TEST_F(UniqueNames, AreTakenByAClaimThatIsConfirmedAndFreeOnceItIsGoneOrExpired) {
  const auto confirmed = take(unique(vm("a", 1, 1)));
  ASSERT_TRUE(store.confirm(confirmed->id, VmState::kPlaced, soon()));
  EXPECT_EQ(outcome(unique(vm("a", 1, 1))), "emplace.vm.name_taken");

  const auto released = take(unique(vm("b", 1, 1)));
  ASSERT_TRUE(store.give_back(released->id, "", soon()));
  EXPECT_EQ(outcome(unique(vm("b", 1, 1))), "taken");

  ASSERT_EQ(outcome(unique(vm("c", 1, 1))), "taken");
  query(connection, "UPDATE claims SET expires_at_us = expires_at_us - 61000000 WHERE vm_name = 'c'");
  EXPECT_EQ(outcome(unique(vm("c", 1, 1))), "taken");
}

TEST_F(UniqueNames, AreFoundWhereNoHostIsNamed) {
  EXPECT_EQ(outcome(unique(vm("web", 1, 1), "")), "state.removed");
  ASSERT_EQ(outcome(unique(vm("web", 1, 1))), "taken");
  EXPECT_EQ(outcome(unique(vm("web", 1, 1), "")), "existing");
}

TEST_F(UniqueNames, OfOneRequestAreAllFoundOrAllNew) {
  const auto take_all = [&] { return store.take({unique(vm("w-1", 1, 1)), unique(vm("w-2", 1, 1))}, {}, soon()); };
  const auto first = take_all();
  ASSERT_TRUE(first) << first.error().message;
  const auto again = take_all();
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(again->claims.size(), 2u);
  EXPECT_TRUE(again->claims[1].existing);
  EXPECT_EQ(again->claims[1].id, first->claims[1].id);
  ASSERT_TRUE(store.give_back(first->claims[1].id, "", soon()));
  const auto mixed = take_all();
  ASSERT_FALSE(mixed);
  EXPECT_EQ(mixed.error().detail_code, "emplace.vm.name_taken");
}

TEST_F(UniqueNames, RememberTheAnswerOfAFoundClaimForItsKey) {
  const IdempotencyKey key{"k", "t", "b"};
  const auto records = [&](std::span<const Claim> claims) {
    return ClaimRecords{.decision = {},
                        .answer = std::pair(key, RememberedAnswer{200, claims.front().existing ? "found" : "new"})};
  };
  ASSERT_EQ(outcome(unique(vm("web", 1, 1))), "taken");
  ASSERT_TRUE(store.take({unique(vm("web", 1, 1))}, records, soon()));
  EXPECT_EQ(store.remembered(key, soon()).value()->body, "found");
}

// All of them ask for the same name, so that they meet in one batch of a replica and in the batches of two.
TEST_F(UniqueNames, HaveOneWinnerAmongTwoReplicas) {
  PostgresStore other(options_for(connection, "b"));
  constexpr int kRounds = 30, kThreads = 8;
  std::barrier together(kThreads);
  std::vector<std::array<std::string, kThreads>> ids(kRounds);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (int round = 0; round < kRounds; ++round) {
        together.arrive_and_wait();
        PostgresStore& mine = thread % 2 == 0 ? store : other;
        const auto taken =
            mine.take({unique(vm("web-" + std::to_string(round), 1, 1), thread % 3 == 0 ? "h1" : "h2")}, {}, soon());
        ids[round][thread] = !taken            ? taken.error().message
                             : taken->conflict ? taken->conflict->why.code
                                               : to_string(taken->claims.front().id);
      }
    });
  for (auto& thread : threads) thread.join();

  for (const auto& round : ids)
    for (const auto& id : round) EXPECT_EQ(id, round.front());
  EXPECT_EQ(value(connection, "SELECT count(*) || ' ' || count(DISTINCT vm_name) FROM claims WHERE state = 'held'"),
            "30 30");
  EXPECT_EQ(broken_rules(connection), std::vector<std::string>{});
}

TEST_F(UniqueNames, OfDifferentRequestsHaveOneWinner) {
  PostgresStore other(options_for(connection, "b"));
  constexpr int kThreads = 8;
  std::barrier together(kThreads);
  std::atomic<int> won{0}, refused{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (int round = 0; round < 20; ++round) {
        together.arrive_and_wait();
        const auto taken =
            (thread % 2 == 0 ? store : other)
                .take({unique(vm("v-" + std::to_string(round), 1 + thread % 2 * 0.5, 1 + thread))}, {}, soon());
        if (taken && !taken->conflict) ++won;
        if (!taken && taken.error().detail_code == "emplace.vm.name_taken") ++refused;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(won, 20);
  EXPECT_EQ(refused, 20 * (kThreads - 1));
}

}  // namespace
}  // namespace emplace::test
