#include "service/openstack/refusal.h"

#include <gtest/gtest.h>

#include "service/core/base/utf8.h"
#include "tests/openstack/fake_cloud.h"

namespace emplace::openstack {
namespace {

TEST(Sentence, IsThatOfEachService) {
  EXPECT_EQ(
      sentence_of(R"({"error":{"code":401,"title":"Unauthorized","message":"The request requires authentication."}})"),
      "The request requires authentication.");
  EXPECT_EQ(sentence_of(R"({"computeFault":{"code":500,"message":"Unexpected API Error."}})"), "Unexpected API Error.");
  EXPECT_EQ(sentence_of(R"({"itemNotFound":{"message":"gone"}})"), "gone");
  EXPECT_EQ(
      sentence_of(R"({"errors":[{"status":403,"title":"Forbidden","detail":"Access was denied.\n\n placement:x  "}]})"),
      "Access was denied. placement:x");
  EXPECT_EQ(sentence_of(R"({"code":"401 Unauthorized","message":"down"})"), "down");
  EXPECT_EQ(sentence_of(R"({"error":"invalid_token"})"), "invalid_token");
  EXPECT_EQ(sentence_of(R"({"debuginfo":null,"faultcode":"Client","faultstring":"no"})"), "no");
  EXPECT_EQ(sentence_of("\"text\""), "text");
}

TEST(Sentence, IsWhatAPageShows) {
  EXPECT_EQ(sentence_of("<html><head><title>x</title><style>b {}</style></head>\n<body bgcolor=white><h1>503 Service "
                        "Unavailable</h1>\n<p>No server &amp; no &lt;host&gt;.</p><script>f()</script></body></html>"),
            "503 Service Unavailable No server & no <host>.");
  EXPECT_EQ(sentence_of("<HTML><HEAD><TITLE>Bad Gateway</TITLE></HEAD></HTML>"), "Bad Gateway");
  EXPECT_EQ(sentence_of("upstream connect error\r\n\tor  reset"), "upstream connect error or reset");
}

TEST(Sentence, IsOneSafeLine) {
  EXPECT_EQ(sentence_of(""), "");
  EXPECT_EQ(sentence_of(" \n"), "");
  EXPECT_EQ(sentence_of(R"({"error":{"code":503}})"), R"({"error":{"code":503}})");
  EXPECT_EQ(sentence_of("a\x1b[31mb\xff"), "a\\u001b[31mb\\ufffd");
  std::string wide;
  for (int i = 0; i < 1000; ++i) wide += "ü";
  const std::string cut = sentence_of(R"({"error":{"message":")" + wide + R"("}})");
  EXPECT_TRUE(is_utf8(cut));
  EXPECT_TRUE(cut.ends_with("…")) << cut;
  EXPECT_LE(cut.size(), 310u);
  EXPECT_LE(sentence_of(std::string(1 << 20, 'x')).size(), 310u);
  EXPECT_EQ(sentence_of(std::string(100'000, '[')).substr(0, 3), "[[[");
}

TEST(Sentence, LeavesSecretsOut) {
  EXPECT_EQ(sentence_of(R"({"error":{"message":"No token gAAAA-1 and gAAAA-1, no p"}})", {"gAAAA-1", "", "p"}),
            "No token *** and ***, no p");
}

TEST(Rules, AreThoseOfThePath) {
  EXPECT_EQ(rules_of("compute", "GET", "/os-hypervisors/detail?limit=1000"),
            "os_compute_api:os-hypervisors:list-detail");
  EXPECT_EQ(rules_of("compute", "POST", "/servers/7/action"), "os_compute_api:os-migrate-server:migrate_live");
  EXPECT_EQ(rules_of("placement", "GET", "/resource_providers/7/usages"), "placement:resource_providers:usages");
  EXPECT_EQ(rules_of("placement", "GET", "/resource_providers"), "placement:resource_providers:list");
  EXPECT_EQ(rules_of("compute", "GET", "/"), "");
  EXPECT_EQ(rules_of("compute", "GET", "/servers/7/other/8"), "");
}

TEST(Keystone, SaysWhatTheCloudSays) {
  FakeCloud cloud(2, 0);
  const auto said = [&](const ServiceCall& call) {
    Keystone keystone(cloud.web(), cloud.options(), wall_us, [](auto, auto) {});
    return keystone.get(call, in_ms(5'000)).error().message;
  };
  cloud.set(
      R"({"fail":{"/compute/v2.1/os-services":[403,{"forbidden":{"code":403,"message":"Policy doesn't allow it for our-token-1."}}],
                        "/compute/v2.1/os-aggregates":[502,"<html><body>Bad\nGateway</body></html>"]}})");

  EXPECT_EQ(said({"compute", "/os-services", "2.73"}),
            "GET " + cloud.url() +
                "/compute/v2.1/os-services: answered 403: the user of [openstack] lacks the right to this: an admin "
                "has it, or "
                "whom the policy gives os_compute_api:os-services:list: Policy doesn't allow it for ***.");
  EXPECT_EQ(said({"compute", "/os-aggregates", "2.73"}),
            "GET " + cloud.url() + "/compute/v2.1/os-aggregates: answered 502: Bad Gateway");
  cloud.set(R"({"fail":{"/identity":[503,{"error":{"message":"Keystone has no database"}}]}})");
  EXPECT_TRUE(said({"compute", "/os-services", "2.73"})
                  .ends_with("answered 503 to the login of user emplace: Keystone has no database"));
}

}  // namespace
}  // namespace emplace::openstack
