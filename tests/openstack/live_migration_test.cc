#include "service/openstack/live_migration.h"

#include <gtest/gtest.h>

#include <future>
#include <mutex>

#include "service/core/json/json.h"
#include "service/openstack/nova_hosts.h"
#include "tests/openstack/fake_cloud.h"

namespace emplace::openstack {
namespace {

const std::string kAction = "POST /compute/v2.1/servers";

Uuid server(int i) { return *parse_uuid("00000000-0002-4000-8000-00000000000" + std::to_string(i)); }

// A cloud whose server 0 is on n0, and one move of it to n1.
struct Moving {
  Moving() : keystone(cloud.web(), cloud.options(), wall_us, [](std::string_view, std::string_view) {}) {
    options.interval = std::chrono::milliseconds(5);
    options.after_abort = std::chrono::milliseconds(300);
    options.quiet_looks = 3;
    job.order = {.vm = server(0), .vm_name = "vm-0", .from = "n0", .to = "n1"};
    job.timeout = std::chrono::seconds(20);
    job.progress = [this](const MoveProgress& now) {
      all.push_back(now);
      if (on_progress) std::exchange(on_progress, nullptr)();
    };
    job.wait = [](std::chrono::milliseconds time) {
      std::this_thread::sleep_for(time);
      return true;
    };
  }
  Result<void> go() { return migrate_live(keystone, options, job); }
  // How migrations go, as the head of the script says.
  void set(const std::string& how) { cloud.set("{\"migration\":" + how + '}'); }

  FakeCloud cloud{4, 8};
  Keystone keystone;
  LiveMigrationOptions options;
  LiveMigrationJob job;
  std::vector<MoveProgress> all;
  std::function<void()> on_progress;
};

void expect_fails(const Result<void>& moved, ErrorCode code, const std::string& words) {
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, code) << moved.error().message;
  EXPECT_NE(moved.error().message.find(words), std::string::npos) << moved.error().message;
  EXPECT_EQ(moved.error().message.find("move of vm vm-0 from host n0 to host n1: "), 0u) << moved.error().message;
}

TEST(LiveMigration, EndsWhenNovaSaysSo) {
  Moving moving;

  const auto moved = moving.go();

  ASSERT_TRUE(moved) << moved.error().message;
  ASSERT_GE(moving.all.size(), 3u);
  EXPECT_EQ(moving.all.front().total_mib, 1024);
  EXPECT_GT(moving.all.front().remaining_mib, moving.all[1].remaining_mib);
  EXPECT_EQ(moving.all.back().fraction, 1);
  EXPECT_EQ(moving.cloud.calls(kAction), 1);
}

TEST(LiveMigration, AsksNothingWhereTheVmIsThere) {
  Moving moving;
  moving.cloud.set(R"({"move":{"0":1}})");

  EXPECT_TRUE(moving.go());
  EXPECT_EQ(moving.cloud.calls(kAction), 0);
}

TEST(LiveMigration, RefusesAVmThatNovaHasElsewhere) {
  Moving moving;
  moving.cloud.set(R"({"move":{"0":2}})");

  expect_fails(moving.go(), ErrorCode::kConflict, "Nova has it on host \"n2\"");
  EXPECT_EQ(moving.cloud.calls(kAction), 0);
}

TEST(LiveMigration, RefusesAVmThatNovaDoesNotHave) {
  Moving moving;
  moving.job.order.vm = server(9);

  expect_fails(moving.go(), ErrorCode::kNotFound, "answered 404");
}

TEST(LiveMigration, GivesNovasOwnRefusal) {
  Moving moving;
  moving.set(
      R"({"refuse":[409,"conflictingRequest","Cannot 'os-migrateLive' instance while it is in vm_state stopped"]})");
  expect_fails(moving.go(), ErrorCode::kConflict,
               "Nova refuses it: Cannot 'os-migrateLive' instance while it is in vm_state");

  moving.set(R"({"refuse":[400,"badRequest","Compute host n1 could not be found."]})");
  expect_fails(moving.go(), ErrorCode::kInvalid, "Nova refuses it: Compute host n1 could not be found.");

  moving.set(R"({"refuse":[403,"forbidden","Policy doesn't allow os_compute_api:os-migrate-server:migrate_live"]})");
  expect_fails(moving.go(), ErrorCode::kForbidden, "Policy doesn't allow");
}

TEST(LiveMigration, TellsWhyItFailed) {
  Moving moving;
  moving.set(
      R"({"steps":["accepted","preparing","error"],"why":"Migration pre-check error: CPU doesn't have compatibility"})");

  expect_fails(
      moving.go(), ErrorCode::kUnavailable,
      "Nova's migration 40 ended with error: Migration pre-check error: CPU doesn't have compatibility; it is on "
      "host n0 (active)");
}

TEST(LiveMigration, TellsTheFaultOfABrokenVm) {
  Moving moving;
  moving.set(R"({"steps":["running","failed"],"fault":"No valid host was found."})");

  expect_fails(moving.go(), ErrorCode::kUnavailable,
               "ended with failed: No valid host was found.; it is on host n0 (error)");
}

TEST(LiveMigration, TellsThatSomebodyCancelledIt) {
  Moving moving;
  moving.set(R"({"steps":["running","cancelled"]})");

  expect_fails(moving.go(), ErrorCode::kUnavailable, "ended with cancelled; it is on host n0 (active)");
}

TEST(LiveMigration, BelievesWhereTheVmIsRatherThanTheRecord) {
  Moving moving;
  moving.set(R"({"ends_on":"n3"})");

  expect_fails(moving.go(), ErrorCode::kConflict,
               "Nova says that migration 40 is completed, but it is on host n3 (active)");
}

TEST(LiveMigration, TellsWhyTheConductorGaveUp) {
  Moving moving;
  moving.set(R"({"no_record":true,"why":"No valid host was found. There are not enough hosts available."})");

  expect_fails(moving.go(), ErrorCode::kUnavailable, "Nova gave it up: No valid host was found.");
}

TEST(LiveMigration, NoticesThatNothingBegan) {
  Moving moving;
  moving.set(R"({"no_record":true})");
  expect_fails(moving.go(), ErrorCode::kUnavailable, "Nova took the request and began no migration");

  moving.set(R"({"answer":"dropped"})");
  expect_fails(moving.go(), ErrorCode::kUnavailable, "POST http://");
  EXPECT_EQ(moving.cloud.calls(kAction), 2);  // a request whose answer is lost is not sent again

  moving.set(R"({"answer":503})");
  expect_fails(moving.go(), ErrorCode::kUnavailable, "Nova answered 503: Unexpected API Error.");
}

TEST(LiveMigration, FollowsAMigrationWhoseAnswerWasLost) {
  Moving moving;
  moving.set(R"({"answer":"lost"})");

  const auto moved = moving.go();

  EXPECT_TRUE(moved) << moved.error().message;
  EXPECT_EQ(moving.cloud.calls(kAction), 1);
}

TEST(LiveMigration, IsNotTakenInByAnEarlierOne) {
  Moving moving;
  ASSERT_TRUE(moving.go());
  std::swap(moving.job.order.from, moving.job.order.to);
  ASSERT_TRUE(moving.go());
  std::swap(moving.job.order.from, moving.job.order.to);
  moving.set(R"({"steps":["accepted","running","error"],"why":"late"})");

  expect_fails(moving.go(), ErrorCode::kUnavailable, "Nova's migration 42 ended with error: late");
}

TEST(LiveMigration, OutlivesAnAbsenceOfNova) {
  Moving moving;
  std::thread later;
  moving.on_progress = [&] {
    moving.cloud.set(R"({"fail":{"/compute":503}})");
    later = std::thread([&] {
      EXPECT_TRUE(eventually([&] { return moving.cloud.calls("GET /compute/v2.1/os-migrations") > 6; }));
      moving.cloud.set(R"({"fail":{}})");
    });
  };

  const auto moved = moving.go();

  later.join();
  EXPECT_TRUE(moved) << moved.error().message;
}

TEST(LiveMigration, SaysThatNobodyKnows) {
  Moving moving;
  moving.job.timeout = std::chrono::milliseconds(300);
  moving.on_progress = [&] { moving.cloud.set(R"({"fail":{"/compute":503}})"); };

  expect_fails(moving.go(), ErrorCode::kUnknownOutcome,
               "not finished within 0.3 s; Nova does not say whether it moved (GET");
}

TEST(LiveMigration, LogsInAgainInTheMiddle) {
  Moving moving;
  moving.on_progress = [&] { moving.cloud.set(R"({"revoke":true})"); };

  const auto moved = moving.go();

  EXPECT_TRUE(moved) << moved.error().message;
  EXPECT_EQ(moving.cloud.calls("POST /identity/v3/auth"), 2);
}

TEST(LiveMigration, AbortsWhatTakesTooLong) {
  Moving moving;
  moving.set(R"({"steps":["accepted","running"]})");
  moving.job.timeout = std::chrono::milliseconds(100);

  expect_fails(moving.go(), ErrorCode::kTimeout, "not finished within 0.1 s, aborted; it is on host n0 (active)");
}

TEST(LiveMigration, SaysWhatCouldNotBeAborted) {
  Moving moving;
  moving.set(
      R"({"steps":["accepted","running"],"abort":[400,"badRequest","Migration 40 state of instance is running"]})");
  moving.job.timeout = std::chrono::milliseconds(100);

  expect_fails(moving.go(), ErrorCode::kUnknownOutcome,
               "it may still happen (abort: Migration 40 state of instance is running)");
}

TEST(LiveMigration, LeavesAMigrationBehindWhenTheServiceStops) {
  Moving moving;
  moving.job.wait = [](std::chrono::milliseconds) { return false; };

  expect_fails(moving.go(), ErrorCode::kUnknownOutcome, "the migration goes its way");
}

TEST(LiveMigration, ReadsItsOptions) {
  const auto read = [](const Parameters& options) {
    MoveOrder order;
    order.options = options;
    return read_job(order);
  };

  EXPECT_EQ(read({{"timeout_s", "7"}})->timeout, std::chrono::seconds(7));
  EXPECT_EQ(read({{"copy_storage", "false"}})->block, false);
  EXPECT_EQ(read({})->block, std::nullopt);
  for (const Parameters& bad : {Parameters{{"timeout_s", "0"}}, {{"copy_storage", "auto"}}, {{"force", "true"}}}) {
    const auto refused = read(bad);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalid);
  }
}

// ---- NovaHosts

struct Waiting {
  Done done() {
    return [this](Result<void> result) { promise.set_value(std::move(result)); };
  }
  Result<void> get() { return promise.get_future().get(); }
  std::promise<Result<void>> promise;
};

struct Driven : Moving {
  NovaReader nova{keystone};
  std::atomic<int> moves{0};
  NovaHosts hosts{keystone,
                  nova,
                  {.interval = std::chrono::milliseconds(5)},
                  {[](const std::string& host) { return host != "t1"; }, [this] { ++moves; }}};
};

TEST(NovaHosts, MovesAndTellsItsFriends) {
  Driven driven;
  Waiting waiting;

  driven.hosts.move(
      driven.job.order, [](const MoveProgress&) {}, waiting.done());

  const auto moved = waiting.get();
  EXPECT_TRUE(moved) << moved.error().message;
  EXPECT_TRUE(eventually([&] { return driven.moves == 1; }));
}

TEST(NovaHosts, RefusesWhatNovaCannotBeAskedFor) {
  Driven driven;
  const auto move = [&](const std::string& to, const Parameters& options = {}) {
    Waiting waiting;
    MoveOrder order = driven.job.order;
    order.to = to, order.options = options;
    driven.hosts.move(
        std::move(order), [](const MoveProgress&) {}, waiting.done());
    return waiting.get().error().message;
  };

  EXPECT_NE(move("t1").find("OpenStack has no host t1"), std::string::npos);
  EXPECT_NE(move("n0").find("these are one host"), std::string::npos);
  EXPECT_NE(move("n1/node").find("one of several nodes"), std::string::npos);
  EXPECT_NE(move("n1", {{"mode", "p2p"}}).find("options.mode"), std::string::npos);
  EXPECT_EQ(driven.cloud.calls(kAction), 0);
}

TEST(NovaHosts, LeavesStartsAndEndsToNova) {
  Driven driven;
  Waiting start, destroy, shut_down;
  StartOrder order;
  order.claim.host = "n0";
  driven.hosts.start(order, start.done());
  driven.hosts.destroy("n0", server(0), {}, destroy.done());
  driven.hosts.shut_down("n0", server(0), shut_down.done());

  for (Waiting* one : {&start, &destroy, &shut_down}) {
    const auto refused = one->get();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().detail_code, "emplace.vm.nova");
  }
}

TEST(NovaHosts, TellsWhatRunsWhere) {
  Driven driven;

  const auto seen = driven.hosts.domains("n1", in_ms(5'000));

  ASSERT_TRUE(seen) << seen.error().message;
  ASSERT_EQ(seen->size(), 2u);  // vm-1, vm-5
  EXPECT_EQ(seen->at(0).name, "vm-1");
  EXPECT_EQ(seen->at(0).state, VmState::kRunning);
  EXPECT_TRUE(seen->at(0).nova);
}

TEST(NovaHosts, AnswersItsMovesWhenItEnds) {
  Waiting waiting;
  Driven driven;
  driven.set(R"({"steps":["accepted","running"]})");
  std::promise<void> copying;
  driven.hosts.move(
      driven.job.order,
      [&, once = std::make_shared<std::once_flag>()](const MoveProgress&) {
        std::call_once(*once, [&] { copying.set_value(); });
      },
      waiting.done());
  copying.get_future().wait();

  driven.hosts.stop();

  expect_fails(waiting.get(), ErrorCode::kUnknownOutcome, "the service is stopping");
}

}  // namespace
}  // namespace emplace::openstack
