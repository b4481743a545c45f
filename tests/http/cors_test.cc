#include "service/http/cors.h"
#include "tests/http/header_of.h"

#include <gtest/gtest.h>

#include <string>

namespace emplace::http {
namespace {

Request from(const std::string& origin, const std::string& method = "GET") {
  Request request;
  request.method = method;
  if (!origin.empty()) request.headers = {{"origin", origin}};
  if (method == "OPTIONS") request.headers.emplace_back("access-control-request-method", "POST");
  return request;
}

Response answered(const Cors& cors, const Request& request) {
  Response answer;
  cors.dressed(request, Reply::to([&](Response response) { answer = std::move(response); })).send({.status = 404});
  return answer;
}

TEST(Cors, IsNothingUnlessConfigured) {
  const Cors cors({});
  EXPECT_FALSE(cors.preflight(from("https://a.example", "OPTIONS")));
  EXPECT_TRUE(answered(cors, from("https://a.example")).headers.empty());
}

TEST(Cors, LetsOnlyKnownOriginsRead) {
  const Cors cors({"https://a.example", "http://b.example:8080"});
  const Response known = answered(cors, from("http://b.example:8080"));
  EXPECT_EQ(known.status, 404);
  EXPECT_EQ(header(known, "Access-Control-Allow-Origin"), "http://b.example:8080");
  EXPECT_EQ(header(known, "Vary"), "Origin");
  EXPECT_NE(header(known, "Access-Control-Expose-Headers").find("ETag"), std::string::npos);
  EXPECT_EQ(header(known, "Access-Control-Allow-Credentials"), "");
  for (const char* const other : {"https://a.example:443", "http://a.example", "https://a.example.evil", "null"}) {
    const Response response = answered(cors, from(other));
    EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "") << other;
    EXPECT_EQ(header(response, "Vary"), "Origin") << other;
  }
  EXPECT_TRUE(answered(cors, from("")).headers.empty());
}

TEST(Cors, LetsAnyoneReadWithAStar) {
  const Response response = answered(Cors({"*"}), from("https://anyone.example"));
  EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(header(response, "Vary"), "");
}

TEST(Cors, AnswersPreflights) {
  const Cors cors({"https://a.example"});
  const auto good = cors.preflight(from("https://a.example", "OPTIONS"));
  ASSERT_TRUE(good);
  EXPECT_EQ(good->status, 204);
  EXPECT_NE(header(*good, "Access-Control-Allow-Methods").find("PATCH"), std::string::npos);
  EXPECT_NE(header(*good, "Access-Control-Allow-Headers").find("Idempotency-Key"), std::string::npos);
  const auto bad = cors.preflight(from("https://b.example", "OPTIONS"));
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->status, 403);
  EXPECT_EQ(header(*bad, "Access-Control-Allow-Origin"), "");
  EXPECT_FALSE(cors.preflight(from("https://a.example", "GET")));
}

TEST(Cors, IsAbandonedWithWhatNobodyAnswers) {
  const Cors cors({"*"});
  int status = 0;
  {
    const Reply dressed = cors.dressed(from("https://a.example"), Reply::to([&](Response r) { status = r.status; }));
  }
  EXPECT_EQ(status, 500);
}

}  // namespace
}  // namespace emplace::http
