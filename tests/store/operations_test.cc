#include <gtest/gtest.h>

#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

class OperationsOfAStore : public testing::Test {
 protected:
  Deadline soon() const { return in(std::chrono::seconds(20)); }
  void SetUp() override {
    const auto written = store.write({host("a", 8, 8192), host("b", 8, 8192)}, {}, {}, soon());
    ASSERT_TRUE(written) << written.error().message;
  }
  Claim take(ClaimOrder wanted) {
    const auto taken = store.take({std::move(wanted)}, {}, soon());
    EXPECT_TRUE(taken && !taken->claims.empty());
    return taken->claims.front();
  }
  Claim start(const VmRequest& request) {
    ClaimOrder wanted = order(request, "a");
    wanted.start = true;
    return take(wanted);
  }
  Claim move(const VmRequest& request) {
    ClaimOrder wanted = order(request, "b");
    wanted.move = true;
    return take(wanted);
  }
  VmRequest running(const std::string& name) {
    const VmRequest request = vm(name, 1, 256);
    EXPECT_TRUE(store.confirm(start(request).id, VmState::kRunning, soon()));
    return request;
  }
  Operation operation(const Uuid& id) {
    const auto found = store.operation(id, soon());
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : Operation{};
  }
  std::string failure(const Uuid& id) {
    return value(connection, "SELECT failure FROM vms WHERE id = '" + to_string(id) + "'");
  }

  const std::string connection = fresh_database(server().connection_string());
  PostgresStore store{options_for(connection)};
};

TEST_F(OperationsOfAStore, BeginAndEndWithTheirClaim) {
  const Claim claim = start(vm("v", 1, 256));
  const Operation begun = operation(claim.id);
  EXPECT_EQ(begun.kind + ' ' + begun.state + ' ' + begun.host + ' ' + begun.vm_name, "start running a v");
  EXPECT_GT(begun.started_at_us, 0);
  EXPECT_EQ(begun.ended_at_us, 0);

  ASSERT_TRUE(store.confirm(claim.id, VmState::kRunning, soon()));

  const Operation ended = operation(claim.id);
  EXPECT_EQ(ended.state, "succeeded");
  EXPECT_EQ(ended.progress, 1);
  EXPECT_GE(ended.ended_at_us, ended.started_at_us);
}

TEST_F(OperationsOfAStore, AreNotMadeOfClaimsThatNobodyStarts) {
  const Claim claim = take(order(vm("v", 1, 256), "a"));
  EXPECT_EQ(store.operation(claim.id, soon()).error().code, ErrorCode::kNotFound);
}

TEST_F(OperationsOfAStore, SayWhyAStartFailedThereAndAtTheVm) {
  const Claim claim = start(vm("v", 1, 256));
  ASSERT_TRUE(store.give_back(claim.id, "no bridge br9", soon()));
  EXPECT_EQ(operation(claim.id).state + ' ' + operation(claim.id).error, "failed no bridge br9");
  EXPECT_EQ(failure(claim.vm), "no bridge br9");
}

TEST_F(OperationsOfAStore, SayWhatKeepsAStartFromItsEnd) {
  const Claim claim = start(vm("v", 1, 256));
  ASSERT_TRUE(store.note(claim.id, "QEMU went away", soon()));
  const std::string events = value(connection, "SELECT seq FROM event_head");
  ASSERT_TRUE(store.note(claim.id, "QEMU went away", soon()));
  EXPECT_EQ(value(connection, "SELECT seq FROM event_head"), events) << "said once";
  EXPECT_EQ(operation(claim.id).state + ' ' + operation(claim.id).error, "running QEMU went away");
  ASSERT_TRUE(store.confirm(claim.id, VmState::kRunning, soon()));
  EXPECT_EQ(operation(claim.id).error, "");
}

TEST_F(OperationsOfAStore, KeepAVmThatDidNotMoveWhereItWasAndSayWhy) {
  const VmRequest request = running("v");
  const Claim claim = move(request);
  const Operation begun = operation(claim.id);
  EXPECT_EQ(begun.kind + ' ' + begun.from + ' ' + begun.host, "move a b");
  ASSERT_TRUE(store.note_progress(claim.id, 0.25, soon()));
  ASSERT_TRUE(store.give_back(claim.id, "the disk is not shared", soon()));

  EXPECT_EQ(operation(claim.id).state, "failed");
  EXPECT_EQ(operation(claim.id).progress, 0.25);
  EXPECT_EQ(failure(request.id), "the disk is not shared");
  ASSERT_TRUE(store.confirm(move(request).id, VmState::kRunning, soon()));
  EXPECT_EQ(failure(request.id), "") << "its last move did not fail";
  EXPECT_TRUE(broken_rules(connection).empty());
}

TEST_F(OperationsOfAStore, AreFoundByVmAndState) {
  const VmRequest request = running("v");
  const Claim moving = move(request);
  std::ignore = running("w");
  const auto count = [&](const OperationFilter& filter) { return store.operations(filter, soon())->size(); };
  EXPECT_EQ(count({}), 3u);
  EXPECT_EQ(count({.vm = request.id}), 2u);
  EXPECT_EQ(count({.vm = request.id, .state = "running"}), 1u);
  EXPECT_EQ(count({.state = "succeeded", .limit = 1}), 1u);
  const auto first = store.operations({.limit = 1}, soon());
  EXPECT_EQ(count({.marker = first->front().id}), 2u);
  EXPECT_EQ(operation(moving.id).state, "running");
}

TEST_F(OperationsOfAStore, AreForsakenWhenTheirProcessIsNotHeardOf) {
  const Claim claim = move(running("v"));
  ASSERT_EQ(store.forsaken(soon())->size(), 1u) << "this store keeps no house, so nobody hears of it";
  EXPECT_EQ(store.forsaken(soon())->front().id, claim.id);
  store.keep_house();
  const Deadline deadline = soon();
  while (!store.forsaken(soon())->empty()) ASSERT_LT(std::chrono::steady_clock::now(), deadline);

  PostgresStore next{options_for(connection)};  // of the same replica: the process before it has died
  next.keep_house();
  while (next.forsaken(soon())->empty()) ASSERT_LT(std::chrono::steady_clock::now(), deadline);
}

TEST_F(OperationsOfAStore, EndOnce) {
  const VmRequest request = running("v");
  const Uuid id = random_uuid();
  ASSERT_TRUE(store.begin({.id = id, .kind = "delete", .vm = request.id, .vm_name = "v", .host = "a"}, soon()));
  ASSERT_TRUE(store.end(id, "failed", "host a does not answer", soon()));
  ASSERT_TRUE(store.end(id, "succeeded", "", soon()));
  EXPECT_EQ(operation(id).state, "failed");
  EXPECT_EQ(failure(request.id), "host a does not answer");
}

TEST_F(OperationsOfAStore, EndWhenTheirVmIsDeleted) {
  const VmRequest request = running("v");
  const Claim claim = move(request);
  ASSERT_TRUE(store.write({VmRemoved{request.id, {}}}, {}, {}, soon()));
  EXPECT_EQ(operation(claim.id).state + ' ' + operation(claim.id).error, "failed the vm was deleted");
}

}  // namespace
}  // namespace emplace::test
