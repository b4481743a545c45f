#include "service/clouds.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace emplace {
namespace {

namespace fs = std::filesystem;

class Clouds : public testing::Test {
 protected:
  Clouds() {
    std::string pattern = (fs::temp_directory_path() / "emplace-clouds-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Clouds() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  // The cloud "lab" of a clouds.yaml, perhaps with a secure.yaml.
  Result<OpenstackEntry> read(const std::string& text, const std::string& secure = "") const {
    CloudsPlaces places{{(folder_ / "none.yaml").string(), write("clouds.yaml", text)}, {}};
    if (!secure.empty()) places.secure = {write("secure.yaml", secure)};
    OpenstackEntry entry;
    entry.cloud = "lab";
    return take_cloud(entry, places).map([&] { return entry; });
  }
  void expect_refused(const std::string& text, const std::string& words) const {
    const auto entry = read(text);
    ASSERT_FALSE(entry) << text;
    EXPECT_EQ(entry.error().code, ErrorCode::kInvalid);
    EXPECT_NE(entry.error().message.find(words), std::string::npos) << entry.error().message;
    EXPECT_NE(entry.error().message.find((folder_ / "clouds.yaml").string()), std::string::npos)
        << entry.error().message;
    EXPECT_EQ(entry.error().message.find("hunter2"), std::string::npos) << entry.error().message;
  }

  fs::path folder_;
};

const std::string kLab = R"(
clouds:
  lab:
    region_name: RegionTwo
    interface: internalURL
    verify: false
    cacert: /etc/ssl/lab.pem
    auth:
      auth_url: https://keystone:5000/v3
      username: emplace
      password: 7744
      project_name: service
      user_domain_name: Users
      project_domain_id: default
  other: {auth: {auth_url: "http://x"}}
)";

TEST_F(Clouds, AreTakenByName) {
  const auto lab = read(kLab);

  ASSERT_TRUE(lab) << lab.error().message;
  EXPECT_EQ(lab->auth_url, "https://keystone:5000/v3");
  EXPECT_EQ(lab->username, "emplace");
  EXPECT_EQ(lab->password, "7744");
  EXPECT_EQ(lab->project, "service");
  EXPECT_EQ(lab->user_domain, "Users");
  EXPECT_EQ(lab->project_domain_id, "default");
  EXPECT_EQ(lab->region, "RegionTwo");
  EXPECT_EQ(lab->interface, "internal");
  EXPECT_EQ(lab->ca_file, "/etc/ssl/lab.pem");
  EXPECT_FALSE(lab->verify);
}

TEST_F(Clouds, HaveTheDefaultsOfOpenstacksClients) {
  const auto lab = read(R"({clouds: {lab: {auth: {auth_url: "http://k", username: u, password: p, project_id: "77"},
                                           regions: [{name: East}, West]}}})");

  ASSERT_TRUE(lab) << lab.error().message;
  EXPECT_EQ(lab->interface, "public");
  EXPECT_EQ(lab->region, "East");
  EXPECT_TRUE(lab->verify);
  EXPECT_EQ(lab->project_id, "77");
  EXPECT_EQ(lab->user_domain, "Default");
}

TEST_F(Clouds, TakeSecretsFromTheirOwnFile) {
  const std::string text =
      R"({clouds: {lab: {auth: {auth_url: "http://k", username: u, password: old, project_name: p}}}})";

  const auto lab = read(text, "{clouds: {lab: {auth: {password: new}}, more: {}}}");

  ASSERT_TRUE(lab) << lab.error().message;
  EXPECT_EQ(lab->password, "new");
  EXPECT_EQ(lab->username, "u");
}

TEST_F(Clouds, KnowApplicationCredentials) {
  const auto lab = read(R"({clouds: {lab: {auth_type: v3applicationcredential, auth: {auth_url: "http://k",
      application_credential_id: a1, application_credential_secret: s}}}})");

  ASSERT_TRUE(lab) << lab.error().message;
  EXPECT_EQ(lab->application_credential_id, "a1");
  EXPECT_EQ(lab->application_credential_secret, "s");
}

TEST_F(Clouds, SayWhatIsWrongAndNoSecret) {
  const auto lab = [](const std::string& more, const std::string& type = "password") {
    return "{clouds: {lab: {auth_type: " + type + ", auth: {auth_url: \"http://k\", password: hunter2" + more + "}}}}";
  };
  expect_refused(lab(""), "clouds.lab.auth.username: wanted a value, found none");
  expect_refused(lab(", username: u"), "clouds.lab.auth.project_name: wanted a value, found none");
  expect_refused(lab("", "v3totp"),
                 "clouds.lab.auth_type: wanted password or v3applicationcredential, found \"v3totp\"");
  expect_refused(lab("", "v3applicationcredential"), "application_credential_id: wanted a value, found none");
  expect_refused("{clouds: {lab: {auth: {auth_url: \"http://u:hunter2@k\"}}}}",
                 "clouds.lab.auth.auth_url: wanted http");
  expect_refused("{clouds: {lab: {profile: vexxhost}}}", "clouds.lab.auth.auth_url: wanted http");
  expect_refused("clouds: [hunter2", "clouds.yaml:1: ");
  expect_refused("hunter2", "wanted a map \"clouds\", found none");
  expect_refused(
      "clouds: {lab: {verify: hunter, auth: {auth_url: \"http://k\", username: u, password: p, project_name: x}}}",
      "clouds.lab.verify: wanted true or false, found \"hunter\"");
  expect_refused("{clouds: {b: {}, a: {}}}", "openstack.cloud: wanted one of the clouds of ");
}

TEST_F(Clouds, AreNamedWhenNoneIsMeant) {
  const auto none = read("{clouds: {b: {}, a: {}}}");
  EXPECT_NE(none.error().message.find(" (a, b), found \"lab\""), std::string::npos) << none.error().message;

  OpenstackEntry entry;
  entry.cloud = "lab";
  const auto nowhere = take_cloud(entry, {{"/nonexistent/clouds.yaml"}, {}});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().message, "openstack.cloud: wanted a clouds.yaml, found none of /nonexistent/clouds.yaml");
}

TEST(CloudsPlaces, AreThoseOfOpenstacksClients) {
  ::setenv("OS_CLIENT_CONFIG_FILE", "/x/my.yaml", 1);
  ::setenv("HOME", "/home/me", 1);

  const CloudsPlaces places = usual_places();
  ::unsetenv("OS_CLIENT_CONFIG_FILE");

  EXPECT_EQ(places.clouds,
            (std::vector<std::string>{"/x/my.yaml", "./clouds.yaml", "./clouds.yml",
                                      "/home/me/.config/openstack/clouds.yaml", "/home/me/.config/openstack/clouds.yml",
                                      "/etc/openstack/clouds.yaml", "/etc/openstack/clouds.yml"}));
  EXPECT_EQ(places.secure.front(), "./secure.yaml");
}

}  // namespace
}  // namespace emplace
