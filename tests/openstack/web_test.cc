#include <gtest/gtest.h>

#include <future>

#include "tests/openstack/fake_cloud.h"

namespace emplace::openstack {
namespace {

TEST(Web, GivesStatusHeadersAndBody) {
  FakeCloud cloud(1, 0);

  const auto reply = cloud.web().fetch({"GET", cloud.url() + "/compute/v2.1/"}, in_ms(5'000));
  const auto refused = cloud.web().fetch({"GET", cloud.url() + "/compute/v2.1/os-services"}, in_ms(5'000));

  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->header("content-type"), "application/json");
  EXPECT_NE(reply->body.find("\"2.93\""), std::string::npos);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 401);
}

TEST(Web, GivesUpOnWhoHangs) {
  FakeCloud cloud(1, 0);
  cloud.set(R"({"hang":["/compute"]})");

  const auto reply = cloud.web().fetch({"GET", cloud.url() + "/compute/v2.1/"}, in_ms(200));

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kTimeout);
  EXPECT_NE(reply.error().message.find("GET " + cloud.url() + "/compute/v2.1/: no whole answer within 0.2 s"),
            std::string::npos)
      << reply.error().message;
}

TEST(Web, SaysThatNobodyListens) {
  FakeCloud cloud(1, 0);

  const auto reply = cloud.web().fetch({"GET", "http://127.0.0.1:1/"}, in_ms(5'000));

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(reply.error().message.find("refused"), std::string::npos) << reply.error().message;
}

TEST(Web, TakesNoHalfBody) {
  FakeCloud cloud(1, 0);
  cloud.set(R"({"truncate":["/compute"]})");

  const auto reply = cloud.web().fetch({"GET", cloud.url() + "/compute/v2.1/"}, in_ms(5'000));

  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);
}

TEST(Web, RefusesABodyBeyondTheLimit) {
  FakeCloud cloud(1, 0);
  const auto small = *Web::create({.most_bytes = 50});

  const auto reply = small->fetch({"GET", cloud.url() + "/compute/v2.1/"}, in_ms(5'000));

  ASSERT_FALSE(reply);
  EXPECT_NE(reply.error().message.find("at most 50 bytes"), std::string::npos) << reply.error().message;
}

TEST(Web, AnswersManyInTheirOrder) {
  FakeCloud cloud(1, 0);
  std::vector<WebRequest> requests;
  for (int i = 0; i < 50; ++i) {
    requests.push_back({"GET", cloud.url() + (i % 2 == 0 ? "/compute/v2.1/" : "/placement/")});
  }

  const auto replies = cloud.web().fetch_all(requests, in_ms(10'000));

  ASSERT_EQ(replies.size(), requests.size());
  for (std::size_t i = 0; i < replies.size(); ++i) {
    ASSERT_TRUE(replies[i]);
    EXPECT_EQ(replies[i]->body.find("v2.1") != std::string::npos, i % 2 == 0) << i;
  }
}

TEST(Web, EndsWhatWaitsWhenItStops) {
  FakeCloud cloud(1, 0);
  cloud.set(R"({"hang":["/compute"]})");
  const auto web = *Web::create({});
  auto waiting = std::async(std::launch::async, [&] {
    return web->fetch({"GET", cloud.url() + "/compute/v2.1/"}, in_ms(60'000));
  });
  ASSERT_TRUE(eventually([&] { return cloud.calls("GET /compute/v2.1/") == 1; }));

  web->stop();

  ASSERT_EQ(waiting.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_FALSE(waiting.get());
  EXPECT_FALSE(web->fetch({"GET", cloud.url() + "/placement/"}, in_ms(1'000)));
}

TEST(Web, WantsCertificatesInItsCaFile) {
  const auto web = Web::create({.ca_file = "/dev/null"});
  ASSERT_FALSE(web);
  EXPECT_EQ(web.error().message, "/dev/null: wanted certificates in PEM, found none");
}

}  // namespace
}  // namespace emplace::openstack
