#include "service/core/act/recovery.h"

#include <gtest/gtest.h>

#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

// Answers what it is told to, for the hosts that it has.
class ToldHypervisors : public Hypervisors {
 public:
  bool drives(const std::string& host) const override { return seen.contains(host); }
  void start(StartOrder, Done done) override { done({}); }
  void destroy(const std::string&, const Uuid&, std::optional<Uuid>, Done done) override { done({}); }
  void shut_down(const std::string&, const Uuid&, Done done) override { done({}); }
  void move(MoveOrder, std::function<void(const MoveProgress&)>, Done done) override { done({}); }
  Result<std::vector<DomainSeen>> domains(const std::string& host, Deadline) override {
    if (!seen.at(host)) return fail(ErrorCode::kUnavailable, host + " is away");
    return *seen.at(host);
  }
  std::map<std::string, std::optional<std::vector<DomainSeen>>> seen;
};

// This store keeps no house, so that its own operations are forsaken at once.
class ForsakenOperations : public testing::Test {
 protected:
  Deadline soon() const { return in(std::chrono::seconds(20)); }
  void SetUp() override {
    ASSERT_TRUE(store.write({host("a", 8, 8192), host("b", 8, 8192)}, {}, {}, soon()));
    ClaimOrder wanted = order(request, "a");
    wanted.start = true;
    const auto taken = store.take({wanted}, {}, soon());
    ASSERT_TRUE(store.confirm(taken->claims.front().id, VmState::kRunning, soon()));
  }
  Uuid move() {
    ClaimOrder wanted = order(request, "b");
    wanted.move = true;
    const auto taken = store.take({wanted}, {}, soon());
    EXPECT_TRUE(store.set_vm_state(request.id, VmState::kMigrating, soon()));
    return taken->claims.front().id;
  }
  std::vector<DomainSeen> domain(VmState state) const {
    DomainSeen seen;
    seen.id = request.id;
    seen.state = state;
    return {seen};
  }
  std::string end(const Uuid& operation) {
    EXPECT_TRUE(end_forsaken(store, hypervisors, wall_clock_us(), soon()));
    return store.operation(operation, soon())->state;
  }
  std::string where() {
    const auto rows = query(connection, "SELECT h.name || ' ' || v.state FROM vms v JOIN hosts h ON h.id = v.host_id");
    return rows.empty() ? "none" : rows.front().front();
  }

  const std::string connection = fresh_database(server().connection_string());
  PostgresStore store{options_for(connection)};
  const VmRequest request = vm("v", 1, 256);
  ToldHypervisors hypervisors;
};

TEST_F(ForsakenOperations, OfAMoveEndWhereTheVmIsSeen) {
  const Uuid done = move();
  hypervisors.seen = {{"a", std::vector<DomainSeen>()}, {"b", domain(VmState::kRunning)}};
  EXPECT_EQ(end(done), "succeeded");
  EXPECT_EQ(where(), "b running");
}

TEST_F(ForsakenOperations, OfAMoveThatDidNotHappenLeaveTheVmAsItIs) {
  for (const VmState left : {VmState::kRunning, VmState::kStopped}) {
    const Uuid failed = move();
    hypervisors.seen = {{"a", domain(left)}, {"b", std::vector<DomainSeen>()}};
    EXPECT_EQ(end(failed), "failed");
    EXPECT_EQ(where(), "a " + std::string(to_string(left)));
    EXPECT_NE(store.operation(failed, soon())->error.find("still on host a"), std::string::npos);
  }
  EXPECT_TRUE(broken_rules(connection).empty());
}

TEST_F(ForsakenOperations, WaitWhileNobodyCanSay) {
  const Uuid moving = move();
  hypervisors.seen = {{"a", domain(VmState::kRunning)}, {"b", domain(VmState::kMigrating)}};
  EXPECT_EQ(end(moving), "running") << "it is being copied";
  hypervisors.seen = {{"a", domain(VmState::kRunning)}, {"b", std::nullopt}};
  EXPECT_EQ(end(moving), "running");
  hypervisors.seen = {{"b", domain(VmState::kRunning)}};
  EXPECT_EQ(end(moving), "running") << "its host is configured no more";
}

TEST_F(ForsakenOperations, OfADeleteEndByWhatIsLeft) {
  const auto begin = [&] {
    const Uuid id = random_uuid();
    EXPECT_TRUE(store.begin({.id = id, .kind = "delete", .vm = request.id, .vm_name = "v", .host = "a"}, soon()));
    return id;
  };
  const Uuid failed = begin();
  hypervisors.seen = {{"a", domain(VmState::kRunning)}};
  EXPECT_EQ(end(failed), "failed");
  EXPECT_EQ(where(), "a running");
  const Uuid done = begin();
  hypervisors.seen = {{"a", std::vector<DomainSeen>()}};
  EXPECT_EQ(end(done), "succeeded");
  EXPECT_EQ(where(), "none");
}

}  // namespace
}  // namespace emplace::test
