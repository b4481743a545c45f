#include "service/core/act/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "service/core/decide/rule_book.h"
#include "service/core/request/request_json.h"

#include "tests/unit/fake_rules.h"

namespace emplace {
namespace {

class FixedPictures : public Pictures {
 public:
  explicit FixedPictures(std::shared_ptr<const Picture> picture) : picture_(std::move(picture)) {}
  std::shared_ptr<const Picture> latest() const override {
    ++taken;
    return picture_;
  }
  bool wait_for(std::int64_t, Deadline) const override { return true; }
  Result<std::shared_ptr<const Picture>> at(const PictureVersion&) const override { return picture_; }
  mutable int taken = 0;

 private:
  std::shared_ptr<const Picture> picture_;
};

// Refuses the hosts in `full`, and remembers what was asked.
class FakeClaims : public Claims {
 public:
  Result<ClaimsTaken> take(std::vector<ClaimOrder> orders, std::function<ClaimRecords(std::span<const Claim>)> records,
                           Deadline) override {
    ++takes;
    ClaimsTaken taken;
    for (std::size_t i = 0; i < orders.size(); ++i) {
      if (held && orders[i].unique_name) {
        taken.claims.push_back(*held);
        continue;
      }
      asked.push_back(orders[i].host);
      if (full.contains(orders[i].host)) {
        taken.claims.clear();
        taken.conflict = Conflict{i, {"capacity.vcpus", 4.0, 0.0, "vCPU"}};
        return taken;
      }
      taken.claims.push_back(
          {orders[i].id, orders[i].vm.id, orders[i].vm.name, "", "", orders[i].host, {}, "held", 99, 1});
    }
    recorded = records(taken.claims);
    taken.event_seq = 7;
    return taken;
  }
  Result<std::int64_t> confirm(const Uuid& claim, VmState, Deadline) override {
    confirmed.insert(claim);
    return 8;
  }
  Result<std::int64_t> give_back(const Uuid& claim, std::string failure, Deadline) override {
    given_back[claim] = failure;
    return 8;
  }
  Result<Claim> claim(const Uuid&, Deadline) override { return fail(ErrorCode::kNotFound, "no such claim"); }

  std::set<std::string> full = {""};  // an order without a host only looks for what is held
  std::optional<Claim> held;          // of equal requests
  std::vector<std::string> asked;
  ClaimRecords recorded;
  std::set<Uuid> confirmed;
  std::map<Uuid, std::string> given_back;
  int takes = 0;
};

class FakeHypervisors : public Hypervisors {
 public:
  bool drives(const std::string&) const override { return true; }
  void start(StartOrder order, Done done) override {
    started.push_back(order.vm.name);
    done(failure.empty() ? Result<void>() : fail(code, failure));
  }
  void destroy(const std::string&, const Uuid&, std::optional<Uuid>, Done done) override { done({}); }
  void shut_down(const std::string&, const Uuid&, Done done) override { done({}); }
  void move(MoveOrder, std::function<void(const MoveProgress&)>, Done done) override { done({}); }
  Result<std::vector<DomainSeen>> domains(const std::string&, Deadline) override { return {}; }

  std::vector<std::string> started;
  std::string failure;
  ErrorCode code = ErrorCode::kInternal;
};

class SchedulerTest : public ::testing::Test {
 protected:
  static std::shared_ptr<const Picture> picture(int host_count) {
    const auto arena = *Arena::create(std::uint64_t{1} << 30);
    PictureBuilder builder(std::make_shared<const Picture>(arena));
    for (int i = 0; i < host_count; ++i) {
      HostRow row;
      row.name = "h" + std::to_string(i);
      row.source = "libvirt";
      row.vcpus = 8;
      row.memory_mib = 8192;
      row.disk_gib = 100;
      apply(builder, row);
    }
    apply(builder, GroupRow{"apart", GroupPolicy::kAntiAffinity, 1, 1});
    return builder.finish({"a", 5, 5}, 0);
  }
  static std::shared_ptr<const PlacementRequest> request(std::string_view json) {
    auto parsed = parse_placement(json);
    EXPECT_TRUE(parsed) << parsed.error().message;
    return std::make_shared<const PlacementRequest>(std::move(*parsed));
  }
  Ambient ambient() {
    return {[] { return std::int64_t{1'000'000}; }, [this] { return ++ticks_; },
            [this] {
              Uuid id;
              id.bytes[0] = static_cast<std::uint8_t>(++uuids_);
              id.bytes[1] = static_cast<std::uint8_t>(uuids_ >> 8);
              return id;
            }};
  }
  Result<Placement> place(std::string_view json) { return scheduler_.place(request(json), rules_, deadline_); }

  FixedPictures pictures_{picture(20)};
  FakeClaims claims_;
  FakeHypervisors hypervisors_;
  Scheduler scheduler_{pictures_, claims_, hypervisors_, ambient()};
  RuleBook book_{built_in_rules()};
  std::shared_ptr<const Rules> rules_ = *book_.find("default");
  Deadline deadline_ = std::chrono::steady_clock::now() + std::chrono::hours(1);

 private:
  std::int64_t ticks_ = 0;
  int uuids_ = 0;
};

constexpr std::string_view kClaim = R"({"vm":{"name":"v","vcpus":2,"memory_mib":1024,"disk_gib":1},"claim":true})";

TEST_F(SchedulerTest, GivesNoAnswerWithoutAnObjectiveThatMustNotFail) {
  Rules rules = rules_with({failing_objective("vital")});
  rules.profile.objectives[0].on_error = OnError::kFail;
  rules_ = std::make_shared<const Rules>(std::move(rules));

  const auto placement = place(kClaim);

  ASSERT_FALSE(placement);
  EXPECT_EQ(placement.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(placement.error().detail_code, "emplace.objective.failed");
  EXPECT_EQ(placement.error().message,
            "objective vital has no answer, and the profile wants none without it (on_error = fail): no answer");
  EXPECT_EQ(claims_.takes, 0);
}

TEST_F(SchedulerTest, LeavesNothingBehindOnADryRun) {
  const auto placement = place(R"({"vm":{"name":"v","vcpus":2,"memory_mib":1024,"disk_gib":1}})");
  ASSERT_TRUE(placement) << placement.error().message;
  EXPECT_EQ(placement->instances.size(), 1u);
  EXPECT_FALSE(placement->instances[0].decision->ranking.order.empty());
  EXPECT_TRUE(placement->decision_id.is_zero());
  EXPECT_EQ(claims_.takes, 0);
}

Claim held_claim() {
  Claim claim;
  claim.vm_name = "v";
  claim.host = "h3";
  claim.state = "held";
  claim.id.bytes[0] = 77;
  claim.vm.bytes[0] = 78;
  claim.existing = true;
  return claim;
}

TEST_F(SchedulerTest, FindsTheClaimThatIsHeldForAnEqualRequest) {
  claims_.held = held_claim();
  const auto placement = place(R"({"vm":{"name":"v","vcpus":2,"memory_mib":1024},"start":true,"unique_name":true})");
  ASSERT_TRUE(placement) << placement.error().message;
  EXPECT_EQ(placement->instances[0].claim->id, claims_.held->id);
  EXPECT_EQ(placement->instances[0].vm.id, claims_.held->vm);
  EXPECT_TRUE(placement->decision_id.is_zero());
  EXPECT_FALSE(claims_.recorded.decision);
  EXPECT_TRUE(hypervisors_.started.empty());
}

TEST_F(SchedulerTest, FindsHeldClaimsWhereNoHostFitsAnyMore) {
  const char* const huge =
      R"({"vm":{"name":"v","vcpus":99,"memory_mib":1024},"claim":true,"unique_name":true,"count":2})";
  const auto none = place(huge);
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_FALSE(none->instances.front().claim);

  claims_.held = held_claim();
  const auto placement = place(huge);

  ASSERT_TRUE(placement) << placement.error().message;
  ASSERT_EQ(placement->instances.size(), 2u);
  EXPECT_TRUE(placement->instances[1].claim);
  EXPECT_EQ(placement->instances[1].vm.name, "v-2");
}

TEST_F(SchedulerTest, RecordsTheDecisionWithItsClaim) {
  const auto placement = place(kClaim);
  ASSERT_TRUE(placement) << placement.error().message;
  ASSERT_TRUE(placement->instances[0].claim);
  ASSERT_TRUE(claims_.recorded.decision);
  EXPECT_EQ(claims_.recorded.decision->id, placement->decision_id);
  EXPECT_NE(claims_.recorded.decision->document.find("ranking"), std::string::npos);
  EXPECT_TRUE(hypervisors_.started.empty());
}

TEST_F(SchedulerTest, GoesDownTheRankingWhenAHostRefuses) {
  const auto first = place(kClaim);
  ASSERT_TRUE(first);
  claims_.full = {first->instances[0].claim->host};
  claims_.asked.clear();

  // The tie is broken by the vm, so the second request walks its own ranking; all that counts is that it ends
  // elsewhere.
  const auto second = place(kClaim);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_FALSE(claims_.full.contains(second->instances[0].claim->host));
}

TEST_F(SchedulerTest, GivesUpAfterEightHostsAndThreePictures) {
  for (int i = 0; i < 20; ++i) claims_.full.insert("h" + std::to_string(i));
  const auto placement = place(kClaim);
  ASSERT_FALSE(placement);
  EXPECT_EQ(placement.error().code, ErrorCode::kConflict);
  EXPECT_EQ(placement.error().detail_code, "emplace.claim.conflict");
  EXPECT_EQ(claims_.takes, 24);
  EXPECT_EQ(pictures_.taken, 3);
  EXPECT_NE(placement.error().message.find("capacity.vcpus"), std::string::npos);
}

TEST_F(SchedulerTest, PlacesAllInstancesOrNone) {
  const auto placement =
      place(R"({"vm":{"name":"v","vcpus":2,"memory_mib":1024,"disk_gib":1,"group":"apart"},"count":5,"claim":true})");
  ASSERT_TRUE(placement) << placement.error().message;
  std::set<std::string> hosts;
  for (const Instance& instance : placement->instances) hosts.insert(instance.claim->host);
  EXPECT_EQ(hosts.size(), 5u);

  const auto too_many =
      place(R"({"vm":{"name":"w","vcpus":2,"memory_mib":1024,"disk_gib":1,"group":"apart"},"count":21,"claim":true})");
  ASSERT_TRUE(too_many) << too_many.error().message;
  EXPECT_TRUE(too_many->instances.back().decision->ranking.order.empty());
  EXPECT_EQ(claims_.takes, 1);
}

TEST_F(SchedulerTest, StartsWhatItClaimedAndConfirmsOrGivesBack) {
  constexpr std::string_view kStart = R"({"vm":{"name":"v","vcpus":2,"memory_mib":1024,"disk_gib":1},"start":true})";
  const auto started = place(kStart);
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(hypervisors_.started, std::vector<std::string>{"v"});
  EXPECT_TRUE(claims_.confirmed.contains(started->instances[0].claim->id));

  hypervisors_.failure = "no bootable disk";
  const auto failed = place(kStart);
  ASSERT_TRUE(failed) << failed.error().message;
  EXPECT_EQ(claims_.given_back.at(failed->instances[0].claim->id), "no bootable disk");

  hypervisors_.code = ErrorCode::kTimeout;
  const auto silent = place(kStart);
  ASSERT_TRUE(silent) << silent.error().message;
  EXPECT_FALSE(claims_.given_back.contains(silent->instances[0].claim->id));
  EXPECT_FALSE(claims_.confirmed.contains(silent->instances[0].claim->id));
}

TEST_F(SchedulerTest, DecidesTheSameAgainWithItsPins) {
  const auto placement =
      place(R"({"vm":{"name":"v","vcpus":2,"memory_mib":1024,"disk_gib":1,"group":"apart"},"count":4,"claim":true})");
  ASSERT_TRUE(placement);
  std::vector<PinnedInstance> pins;
  for (const Instance& instance : placement->instances) pins.push_back({instance.vm.id, instance.claim->host});

  const auto again = scheduler_.decide_on(placement->request, rules_, pictures_.latest(), placement->now_us, pins);
  ASSERT_TRUE(again);
  for (std::size_t i = 0; i < pins.size(); ++i) {
    const auto& a = placement->instances[i].decision->ranking.order;
    const auto& b = again->instances[i].decision->ranking.order;
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin(), b.end(),
                           [](const Ranked& x, const Ranked& y) { return x.index == y.index && x.score == y.score; }));
  }
}

}  // namespace
}  // namespace emplace
