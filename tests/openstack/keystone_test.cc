#include "service/openstack/keystone.h"

#include <gtest/gtest.h>

#include <mutex>

#include "service/openstack/verifier.h"
#include "tests/openstack/fake_cloud.h"

namespace emplace::openstack {
namespace {

const std::string kLogin = "POST /identity/v3/auth";
const std::string kVerify = "GET /identity/v3/auth";

// What was logged, and a clock that a test can set forward.
struct Around {
  std::function<std::int64_t()> clock() {
    return [this] { return wall_us() + ahead_us; };
  }
  Log log() {
    return [this](std::string_view, std::string_view line) {
      const std::lock_guard lock(mutex);
      lines += std::string(line) + '\n';
    };
  }
  std::atomic<std::int64_t> ahead_us{0};
  std::mutex mutex;
  std::string lines;
};

const ServiceCall kServices{"compute", "/os-services", "2.73"};

TEST(Keystone, LogsInOnceAndFindsTheService) {
  FakeCloud cloud(2, 0);
  Around around;
  Keystone keystone(cloud.web(), cloud.options(), around.clock(), around.log());

  for (int i = 0; i < 3; ++i) {
    const auto body = keystone.get(kServices, in_ms(5'000));
    ASSERT_TRUE(body) << body.error().message;
    EXPECT_NE(body->find("nova-compute"), std::string::npos);
  }

  EXPECT_EQ(cloud.calls(kLogin), 1);
}

TEST(Keystone, TakesAnApplicationCredential) {
  FakeCloud cloud(2, 0);
  Around around;
  KeystoneOptions options = cloud.options();
  options.credentials = {.application_credential_id = "a1", .application_credential_secret = "secret"};

  EXPECT_TRUE(Keystone(cloud.web(), options, around.clock(), around.log()).get(kServices, in_ms(5'000)));
}

TEST(Keystone, RenewsATokenBeforeItEnds) {
  FakeCloud cloud(2, 0);
  Around around;
  Keystone keystone(cloud.web(), cloud.options(), around.clock(), around.log());
  ASSERT_TRUE(keystone.get(kServices, in_ms(5'000)));

  around.ahead_us = std::int64_t{3'400} * 1'000'000;  // of 3,600 s
  ASSERT_TRUE(keystone.get(kServices, in_ms(5'000)));

  EXPECT_EQ(cloud.calls(kLogin), 2);
}

TEST(Keystone, LogsInAgainWhenItsTokenIsRefused) {
  FakeCloud cloud(2, 0);
  Around around;
  Keystone keystone(cloud.web(), cloud.options(), around.clock(), around.log());
  ASSERT_TRUE(keystone.get(kServices, in_ms(5'000)));

  cloud.set(R"({"revoke":true})");
  EXPECT_TRUE(keystone.get(kServices, in_ms(5'000)));
  cloud.set(R"({"revoke":true})");
  const auto all = keystone.get_all({5, kServices}, in_ms(5'000));

  for (const auto& one : all) EXPECT_TRUE(one) << one.error().message;
  EXPECT_EQ(cloud.calls(kLogin), 3);
}

TEST(Keystone, LeavesARefusingKeystoneAloneForAWhile) {
  FakeCloud cloud(2, 0);
  Around around;
  KeystoneOptions options = cloud.options();
  options.credentials.password = "hunter2-wrong";
  options.backoff = {std::chrono::seconds(60), std::chrono::seconds(60)};
  Keystone keystone(cloud.web(), options, around.clock(), around.log());

  for (int i = 0; i < 5; ++i) {
    const auto refused = keystone.get(kServices, in_ms(5'000));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnauthorized);
    EXPECT_NE(refused.error().message.find("refused user emplace"), std::string::npos) << refused.error().message;
    EXPECT_EQ(refused.error().message.find("hunter2"), std::string::npos);
  }
  EXPECT_EQ(cloud.calls(kLogin), 1);

  around.ahead_us = 61'000'000;
  cloud.set(R"({"password":"hunter2-wrong"})");
  EXPECT_TRUE(keystone.get(kServices, in_ms(5'000)));
  EXPECT_EQ(around.lines.find("hunter2"), std::string::npos) << around.lines;
  EXPECT_EQ(around.lines.find("our-token"), std::string::npos) << around.lines;
}

TEST(Keystone, SaysWhatTheCatalogueHas) {
  FakeCloud cloud(2, 0);
  Around around;
  KeystoneOptions options = cloud.options();
  options.region = "Mars";

  const auto none = Keystone(cloud.web(), options, around.clock(), around.log()).get(kServices, in_ms(5'000));

  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message,
            "service catalogue: wanted compute with interface internal in region Mars, found public in RegionOne, "
            "internal in RegionOne");
}

TEST(Keystone, TellsWhoOwnsAToken) {
  FakeCloud cloud(2, 0);
  Around around;
  Keystone keystone(cloud.web(), cloud.options(), around.clock(), around.log());

  const auto admin = keystone.owner_of("admin-token", in_ms(5'000));
  const auto nobody = keystone.owner_of("made-up", in_ms(5'000));

  ASSERT_TRUE(admin) << admin.error().message;
  EXPECT_EQ(admin->user, "admin");
  EXPECT_EQ(admin->project, "p1");
  EXPECT_EQ(admin->roles, (std::vector<std::string>{"admin", "member"}));
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, ErrorCode::kUnauthorized);
}

// ---- Verifier

struct Asked {
  std::atomic<int> count{0};
  Result<Caller> answer = Caller{"u", "p", {"admin"}, wall_us() + std::int64_t{3'600'000'000}};
  Verifier::Ask ask() {
    return [this](const std::string&, Deadline) {
      ++count;
      return answer;
    };
  }
};

TEST(Verifier, KeepsAnAnswerForItsTime) {
  Asked asked;
  Around around;
  Verifier verifier(asked.ask(), {}, around.clock());

  EXPECT_FALSE(verifier.remembered("t"));
  EXPECT_TRUE(verifier.verify("t", in_ms(1'000)));
  EXPECT_TRUE(verifier.verify("t", in_ms(1'000)));
  EXPECT_TRUE(verifier.remembered("t").value());
  EXPECT_EQ(asked.count, 1);

  around.ahead_us = 301'000'000;
  EXPECT_FALSE(verifier.remembered("t"));
  asked.answer = fail(ErrorCode::kUnauthorized, "revoked");
  EXPECT_FALSE(verifier.verify("t", in_ms(1'000)));
  EXPECT_FALSE(verifier.remembered("t").value());
  around.ahead_us += 11'000'000;
  EXPECT_FALSE(verifier.remembered("t"));
}

TEST(Verifier, KeepsNothingBeyondTheTokensEnd) {
  Asked asked;
  asked.answer->expires_at_us = wall_us() + 10'000'000;
  Around around;
  Verifier verifier(asked.ask(), {}, around.clock());
  ASSERT_TRUE(verifier.verify("t", in_ms(1'000)));

  around.ahead_us = 11'000'000;

  EXPECT_FALSE(verifier.remembered("t"));
}

TEST(Verifier, DoesNotKeepThatNobodyCouldSay) {
  Asked asked;
  asked.answer = fail(ErrorCode::kUnavailable, "away");
  Around around;
  Verifier verifier(asked.ask(), {}, around.clock());

  EXPECT_FALSE(verifier.verify("t", in_ms(1'000)));
  EXPECT_FALSE(verifier.verify("t", in_ms(1'000)));

  EXPECT_EQ(asked.count, 2);
}

TEST(Verifier, KeepsAtMostSoMany) {
  Asked asked;
  Around around;
  Verifier verifier(asked.ask(), {.most_kept = 2}, around.clock());

  for (const char* token : {"a", "b", "c"}) ASSERT_TRUE(verifier.verify(token, in_ms(1'000)));

  EXPECT_FALSE(verifier.remembered("a"));
  EXPECT_TRUE(verifier.remembered("c"));
}

TEST(Verifier, AsksOnceForOneTokenAndBoundsTheRest) {
  std::promise<void> go;
  const auto gone = go.get_future().share();
  std::atomic<int> count{0};
  Around around;
  Verifier verifier(
      [&](const std::string&, Deadline) {
        ++count;
        gone.wait();
        return Result<Caller>(Caller{"u", "p", {}, wall_us() + 60'000'000});
      },
      {.most_asking = 1}, around.clock());
  auto first = std::async(std::launch::async, [&] { return verifier.verify("t", in_ms(10'000)); });
  ASSERT_TRUE(eventually([&] { return count == 1; }));

  auto second = std::async(std::launch::async, [&] { return verifier.verify("t", in_ms(10'000)); });
  const auto other = verifier.verify("other", in_ms(10'000));
  go.set_value();

  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.get());
  EXPECT_EQ(count, 1);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kUnavailable);
}

// The second asks while the first is being answered.
TEST(Verifier, AsksOnceHoweverTheQuestionsMeet) {
  constexpr int kRounds = 4'000;
  std::atomic<int> asked{0}, begun{0}, joined{0};
  Around around;
  Verifier verifier(
      [&](const std::string& token, Deadline) {
        const int round = std::stoi(token);
        ++asked;
        if (begun < round) begun = round;
        while (joined < round) std::this_thread::yield();
        return Result<Caller>(Caller{"u", "p", {}, wall_us() + 60'000'000});
      },
      {.most_kept = kRounds}, around.clock());
  std::thread second([&] {
    for (int round = 1; round <= kRounds; ++round) {
      while (begun < round) std::this_thread::yield();
      joined = round;
      EXPECT_TRUE(verifier.verify(std::to_string(round), in_ms(10'000)));
    }
  });
  for (int round = 1; round <= kRounds; ++round) {
    EXPECT_TRUE(verifier.verify(std::to_string(round), in_ms(10'000)));
  }
  second.join();
  EXPECT_EQ(asked, kRounds);
}

TEST(Verifier, NeverAsksForWhatCannotBeAToken) {
  Asked asked;
  Around around;
  Verifier verifier(asked.ask(), {}, around.clock());

  for (const std::string& bad : {std::string(), std::string("a b"), std::string("a\r\nX: y"), std::string(9000, 'a')}) {
    EXPECT_EQ(verifier.verify(bad, in_ms(1'000)).error().code, ErrorCode::kUnauthorized);
  }
  EXPECT_EQ(asked.count, 0);
}

}  // namespace
}  // namespace emplace::openstack
