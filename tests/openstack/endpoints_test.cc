#include "service/openstack/endpoints.h"

#include <gtest/gtest.h>

#include "tests/openstack/fake_cloud.h"

namespace emplace::openstack {
namespace {

TEST(TokensUrl, HasOneVersion) {
  for (const char* url : {"http://k:5000", "http://k:5000/", "http://k:5000/v3", "http://k:5000/v3/",
                          "http://k:5000/v3/v3", "http://k:5000//v3//v3/", "http://k:5000/v3/auth/tokens"}) {
    EXPECT_EQ(tokens_url(url), "http://k:5000/v3/auth/tokens") << url;
  }
  EXPECT_EQ(tokens_url("https://[::1]/identity/"), "https://[::1]/identity/v3/auth/tokens");
}

const std::string kProject = "0123456789abcdef0123456789abcdef";

TEST(ComputeEndpoint, EndsInItsVersion) {
  for (const std::string path :
       {"/v2.1", "/v2.1/", "//v2.1//", "/v2.1/v2.1", "/v2/v2.1", "/v2.1/p1", "/v2.1/p1/", "/v2.1/p1/v2.1/p1"}) {
    for (const std::string root : {"http://n:8774", "https://api/compute"}) {
      const ComputeEndpoint endpoint = compute_endpoint(root + path, "p1");
      EXPECT_EQ(endpoint.url, root + "/v2.1") << path;
      EXPECT_TRUE(endpoint.versioned) << path;
    }
  }
  for (const std::string& project : {kProject, std::string("01234567-89ab-cdef-0123-456789abcdef"),
                                     std::string("%(tenant_id)s"), std::string("$(project_id)s")}) {
    EXPECT_EQ(compute_endpoint("http://n/v2.1/" + project, "").url, "http://n/v2.1") << project;
  }
}

TEST(ComputeEndpoint, IsAskedForItsVersion) {
  for (const std::string path : {"", "/", "/v2", "/v2.0/", "/v2/p1"}) {
    const ComputeEndpoint endpoint = compute_endpoint("http://n/compute" + path, "p1");
    EXPECT_EQ(endpoint.url, "http://n/compute") << path;
    EXPECT_FALSE(endpoint.versioned) << path;
  }
}

TEST(WithProject, FillsTheTemplatesOfTheCatalogue) {
  for (const char* name : {"%(project_id)s", "%(tenant_id)s", "$(project_id)s", "$(tenant_id)s"}) {
    EXPECT_EQ(with_project("placement", std::string("http://p/") + name + "/x", "p1").value(), "http://p/p1/x");
  }
  for (const char* bad : {"", "p:8778", "ftp://p", "http://p/%(user_id)s", "http://p/$(x)s"}) {
    const auto none = with_project("placement", bad, "p1");
    ASSERT_FALSE(none) << bad;
    EXPECT_EQ(none.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(none.error().message.find("wanted a URL of placement"), std::string::npos) << none.error().message;
  }
}

std::string listing(const std::string& href) {
  return R"({"versions":[{"id":"v2.0","status":"SUPPORTED","links":[{"rel":"self","href":"http://x/v2/"}]},)"
         R"({"id":"v2.1","status":"CURRENT","links":[{"rel":"describedby","href":"http://doc"},{"rel":"self","href":")" +
         href + R"("}]}]})";
}

TEST(CurrentVersion, StaysOnTheHostOfTheCatalogue) {
  EXPECT_EQ(*current_version("https://n:8774", listing("http://10.0.0.1:80/v2.1/")), "https://n:8774/v2.1");
  EXPECT_EQ(*current_version("https://n/compute", listing("http://other/compute/v2.1/")), "https://n/compute/v2.1");
  EXPECT_EQ(*current_version("https://n/compute", listing("http://other/v2.1/")), "https://n/compute/v2.1")
      << "a proxy that takes the path off";
  EXPECT_EQ(*current_version("https://n", listing("http://other/compute/v2.1")), "https://n/compute/v2.1");
  EXPECT_EQ(*current_version("https://n", listing("/v2.1/")), "https://n/v2.1");
  EXPECT_EQ(*current_version("https://n", listing("v2.1")), "https://n/v2.1");
  EXPECT_EQ(*current_version("https://n", R"({"versions":[{"id":"v2.1"}]})"), "https://n/v2.1");
  EXPECT_EQ(*current_version("https://n/nova", R"({"version":{"id":"v2.1","status":"CURRENT"}})"), "https://n/nova")
      << "a proxy that puts the version on";
}

TEST(CurrentVersion, SaysWhatTheEndpointLists) {
  const auto said = [](const std::string& answer) { return current_version("http://n", answer).error().message; };
  EXPECT_EQ(said(R"({"versions":[{"id":"v2.0"},{"id":"v3"}]})"),
            "the compute endpoint http://n has no version v2.1: GET http://n/ lists v2.0, v3");
  EXPECT_EQ(said(R"({"versions":[]})"), "the compute endpoint http://n has no version v2.1: GET http://n/ lists none");
  for (const char* bad : {"", "<html>", "[]", "{}", R"({"versions":5})", R"({"version":"v2.1"})"}) {
    EXPECT_TRUE(said(bad).starts_with("the compute endpoint http://n has no version: ")) << said(bad);
  }
}

// ---- against a cloud

struct Asking {
  explicit Asking(FakeCloud& cloud) : keystone(cloud.web(), cloud.options(), wall_us, [](auto, auto) {}) {}
  std::string about(const std::string& service, const std::string& path) {
    const auto body = keystone.get({service, path, service == "compute" ? "2.73" : "1.19"}, in_ms(5'000));
    return body ? "ok" : body.error().message;
  }
  Keystone keystone;
};

TEST(Endpoints, AreFoundInWhateverTheCatalogueSays) {
  FakeCloud cloud(2, 0);
  for (const char* path : {"/compute", "/compute/", "/compute/v2.1/", "/compute/v2.1/v2.1", "/compute/v2.1/p1",
                           "/compute/v2", "/compute/v2.1/%(tenant_id)s"}) {
    cloud.set(std::string(R"({"endpoints":{"compute":")") + path + R"("}})");
    EXPECT_EQ(Asking(cloud).about("compute", "/os-services"), "ok") << path;
    EXPECT_EQ(Asking(cloud).about("compute", "/"), "ok") << path;
  }
  cloud.set(R"({"endpoints":{"placement":"/placement//"}})");
  EXPECT_EQ(Asking(cloud).about("placement", "/resource_providers"), "ok");
}

TEST(Endpoints, AreAskedOnceForTheirVersion) {
  FakeCloud cloud(2, 0);
  cloud.set(R"({"endpoints":{"compute":"/compute"}})");
  Asking asked(cloud);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(asked.about("compute", "/os-services"), "ok");
  EXPECT_EQ(cloud.calls("GET /compute/"), 1);
}

TEST(Endpoints, WithoutAVersionSaySo) {
  FakeCloud cloud(2, 0);
  cloud.set(R"({"endpoints":{"compute":"/compute"},"roots":[{"id":"v2.0"}]})");
  Asking asked(cloud);
  const std::string root = cloud.url() + "/compute";
  EXPECT_EQ(asked.about("compute", "/os-services"),
            "the compute endpoint " + root + " has no version v2.1: GET " + root + "/ lists v2.0");

  cloud.set(R"({"fail":{"/compute":503}})");
  EXPECT_NE(asked.about("compute", "/os-services").find("GET " + root + "/: answered 503"), std::string::npos);
  cloud.set(R"({"fail":{},"roots":[{"id":"v2.1"}]})");
  EXPECT_EQ(asked.about("compute", "/os-services"), "ok") << "it is asked again until it says so";
}

TEST(Endpoints, AreMissedWithTheTypesThatThereAre) {
  FakeCloud cloud(2, 0);
  cloud.set(R"({"endpoints":{"placement":null}})");
  EXPECT_EQ(
      Asking(cloud).about("placement", "/"),
      "service catalogue: wanted placement with interface internal in region RegionOne, found none of that type, but "
      "identity, compute");
}

}  // namespace
}  // namespace emplace::openstack
