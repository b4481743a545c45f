// Problems, versions and the wire format: everything an answer is made of.
#include <gtest/gtest.h>

#include <set>

#include "service/http/problem.h"
#include "service/http/reply.h"
#include "service/http/wire.h"
#include "service/rest/version.h"

namespace emplace::http {
namespace {

Request request_with(const Pairs& headers) {
  Request request;
  request.id = "req-1";
  request.headers = headers;
  return request;
}

TEST(Problem, HasTheShapeOfRfc9457) {
  const Response response =
      problem({ErrorCode::kConflict, "wanted 5, found 6", "emplace.claim.conflict", 3}, request_with({}));

  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body, R"({"type":"about:blank","title":"Conflict","status":409,"detail":"wanted 5, found 6",)"
                           R"("code":"emplace.claim.conflict","request_id":"req-1"})");
  EXPECT_EQ(response.headers, (Pairs{{"Retry-After", "3"}}));
}

TEST(Problem, HasOpenStacksShapeForItsClients) {
  const Response response =
      problem({ErrorCode::kNotFound, "no host \"h1\"\n"}, request_with({{"openstack-api-version", "x"}}));

  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.body, R"({"errors":[{"title":"Not Found","status":404,"detail":"no host \"h1\"\u000a",)"
                           R"("code":"emplace.not_found","request_id":"req-1"}]})");
}

TEST(Problem, KeepsDefectsToTheLog) {
  const Response response = problem({ErrorCode::kInternal, "secret at 0x1234"}, request_with({}));

  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body.find("secret"), std::string::npos);
}

TEST(Problem, QuotesAnyBytes) {
  EXPECT_EQ(json_quoted("a\"\\\x01\x7f"), R"("a\"\\\u0001\u007f")");
  EXPECT_EQ(json_quoted("\xc3\xa4"), "\"\xc3\xa4\"");
  EXPECT_EQ(json_quoted("a\xff"), R"("a\ufffd")");
}

TEST(RequestIds, AreUuidsAndDiffer) {
  RequestIds ids;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = ids.next();
    EXPECT_TRUE(is_request_id(id)) << id;
    EXPECT_EQ(id[18], '4');
    EXPECT_NE(std::string("89ab").find(id[23]), std::string::npos);
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_FALSE(is_request_id("req-12345678-1234-1234-1234-12345678901"));
  EXPECT_FALSE(is_request_id("req-12345678-1234-1234-1234-12345678901G"));
  EXPECT_FALSE(is_request_id("REQ-12345678-1234-1234-1234-123456789012"));
}

TEST(Version, IsNegotiated) {
  const auto minor = [](const std::string& header) {
    const auto outcome = negotiate(request_with({{"openstack-api-version", header}}));
    if (!outcome) return outcome.error().code == ErrorCode::kInvalid ? "400" : "?";
    return std::holds_alternative<Unacceptable>(*outcome) ? "406" : "ok";
  };
  EXPECT_STREQ(minor("placement-advisor 1.0"), "ok");
  EXPECT_STREQ(minor("placement-advisor latest"), "ok");
  EXPECT_STREQ(minor("compute 2.90, placement-advisor 1.0"), "ok");
  EXPECT_STREQ(minor("compute 2.90"), "ok");
  EXPECT_STREQ(minor("placement-advisor 1.1"), "406");
  EXPECT_STREQ(minor("placement-advisor 2.0"), "406");
  EXPECT_STREQ(minor("placement-advisor 0.9"), "406");
  for (const char* bad : {"placement-advisor", "placement-advisor 1", "placement-advisor 1.", "placement-advisor 1.x",
                          "placement-advisor -1.0", "placement-advisor 1.0.0", "placement-advisor 99999999999.0"}) {
    EXPECT_STREQ(minor(bad), "400") << bad;
  }
  EXPECT_EQ(std::get<Microversion>(*negotiate(request_with({}))), kMinimumVersion);
}

TEST(Version, HasDocuments) {
  EXPECT_EQ(version_document("http://a:1").body,
            R"({"version":{"id":"v1.0","status":"CURRENT","min_version":"1.0","max_version":"1.0",)"
            R"("links":[{"rel":"self","href":"http://a:1/v1"}]}})");
  EXPECT_EQ(versions_document("").status, 300);
}

TEST(Wire, WritesAnAnswer) {
  const Response response = {.body = "{}", .headers = {{"ETag", "\"7\"\r\nSet-Cookie: x"}}};

  EXPECT_EQ(answer_head_bytes(response, {.id = "req-1", .keep_alive = true}, "D"),
            "HTTP/1.1 200 OK\r\nDate: D\r\nX-Openstack-Request-Id: req-1\r\nETag: \"7\"  Set-Cookie: x\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n");
  EXPECT_TRUE(sends_body(response, {}));
  EXPECT_EQ(answer_head_bytes({.body = "{}"}, {.id = "r", .head = true}, "D"),
            "HTTP/1.1 200 OK\r\nDate: D\r\nX-Openstack-Request-Id: r\r\nContent-Type: application/json\r\n"
            "Content-Length: 2\r\nConnection: close\r\n\r\n");
  EXPECT_FALSE(sends_body({.body = "{}"}, {.id = "r", .head = true}));
  EXPECT_EQ(answer_head_bytes({.status = 204, .body = "x"}, {.id = "r", .keep_alive = true}, "D"),
            "HTTP/1.1 204 No Content\r\nDate: D\r\nX-Openstack-Request-Id: r\r\n\r\n");
  EXPECT_FALSE(sends_body({.status = 204, .body = "x"}, {}));
}

TEST(Wire, WritesDates) { EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT"); }

TEST(Reply, CountsOnce) {
  int answers = 0;
  const Reply reply = Reply::to([&](const Response&) { ++answers; });

  EXPECT_TRUE(reply.send({}));
  EXPECT_FALSE(reply.send({}));
  EXPECT_EQ(reply.stream({}), nullptr);
  EXPECT_EQ(answers, 1);
}

TEST(Reply, IsA500WhenForgotten) {
  int status = 0;
  {
    const Reply reply = Reply::to([&](const Response& response) { status = response.status; });
  }
  EXPECT_EQ(status, 500);
}

}  // namespace
}  // namespace emplace::http
