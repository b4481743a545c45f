#include "service/configuration/clouds.h"

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

  // What the cloud "lab" says beside its login.
  Result<OpenstackEntry> with(const std::string& more) const {
    return read("{clouds: {lab: {" + kLogin + more + "}}}");
  }
  // What is said of it, "key: what"; the file and the cloud left out.
  static std::vector<std::string> said(const Result<OpenstackEntry>& entry) {
    if (!entry) return {entry.error().message};
    std::vector<std::string> all;
    for (const CloudNote& note : entry->notes) {
      const std::size_t at = note.about.find(": clouds.lab") + 12;
      all.push_back((note.level == CloudNote::Level::kNote ? "note " : "") +
                    note.about.substr(std::min(at + 1, note.about.size())) + ": " + note.text);
    }
    return all;
  }

  static inline const std::string kLogin =
      R"(auth: {auth_url: "http://k/v3", username: u, password: hunter2, project_name: p}, region_name: East)";
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

TEST_F(Clouds, KnowApplicationCredentialsByNameOfAUser) {
  const auto lab = read(R"({clouds: {lab: {auth_type: v3applicationcredential, auth: {auth_url: "http://k", username: u,
      user-domain-name: D, application_credential_name: a, application_credential_secret: s, project_name: p}}}})");

  ASSERT_TRUE(lab) << lab.error().message;
  EXPECT_EQ(lab->application_credential_name, "a");
  EXPECT_EQ(lab->username, "u");
  EXPECT_EQ(lab->user_domain, "D");
  EXPECT_EQ(said(lab),
            std::vector<std::string>{"auth.project_name: is not read: an application credential has its own project"});
}

using Texts = std::vector<std::string>;

TEST_F(Clouds, RenameEndpointTypeToInterface) {
  for (const char* word : {"internal", "internalURL", "admin", "adminURL", "public", "publicURL"}) {
    std::string wanted = word;
    if (wanted.ends_with("URL")) wanted.resize(wanted.size() - 3);
    for (const std::string key : {"interface", "endpoint_type", "endpoint-type"}) {
      const auto lab = with(", " + key + ": " + word);
      ASSERT_TRUE(lab) << lab.error().message;
      EXPECT_EQ(lab->interface, wanted) << key << ' ' << word;
      EXPECT_EQ(said(lab), Texts{});
    }
  }
  EXPECT_EQ(with(", interface: admin, endpoint_type: internalURL")->interface, "internal") << "as openstacksdk";
  EXPECT_NE(said(with(", endpoint_type: intern"))[0].find("clouds.lab.endpoint_type: wanted public, internal or admin, "
                                                          "found \"intern\""),
            std::string::npos);
  EXPECT_NE(said(with(", interface: [public]"))[0].find("clouds.lab.interface: wanted a text, found a list"),
            std::string::npos);
}

TEST_F(Clouds, PlaceServicesApart) {
  const auto lab = with(R"(, compute_interface: adminURL, placement-endpoint-type: internal, compute_region_name: West,
      compute_endpoint_override: "https://n/{region_name}/v2.1/%(project_id)s", placement_service_type: placement2,
      placement_endpoint: "http://old/", compute_service_name: nova, image_interface: public, volumev3_api_version: 3)");

  ASSERT_TRUE(lab) << lab.error().message;
  EXPECT_EQ(lab->compute.interface, "admin");
  EXPECT_EQ(lab->compute.region, "West");
  EXPECT_EQ(lab->compute.name, "nova");
  EXPECT_EQ(lab->compute.url, "https://n/East/v2.1/%(project_id)s");
  EXPECT_EQ(lab->placement.interface, "internal");
  EXPECT_EQ(lab->placement.type, "placement2");
  EXPECT_EQ(lab->placement.url, "http://old/");
  EXPECT_EQ(said(lab), Texts{"note : image_interface, volumev3_api_version are not about what Emplace reads"});
  expect_refused("{clouds: {lab: {" + kLogin + ", compute_endpoint_override: \"nova:8774\"}}}",
                 "clouds.lab.compute_endpoint_override: wanted http:// or https://");
  expect_refused("{clouds: {lab: {" + kLogin + ", compute_endpoint_override: \"http://{zone}\"}}}",
                 "clouds.lab.compute_endpoint_override: wanted keys of this cloud in {}, found \"{zone}\"");
}

TEST_F(Clouds, TakeTheFirstRegionWithItsValues) {
  const std::string lab = "{clouds: {lab: {auth: {auth_url: \"http://k\", username: u, password: p, project_name: x}, ";
  const auto region = [&](const std::string& more) { return read(lab + more + "}}}"); };

  EXPECT_EQ(region("regions: [East]")->region, "East");
  EXPECT_EQ(said(region("regions: [East]")), Texts{});
  EXPECT_EQ(said(region("regions: [East, West]")), Texts{"regions: has East, West: the first is taken"});
  EXPECT_EQ(region("region_name: [East, West]")->region, "East");
  EXPECT_EQ(said(region("region_name: \"East,West\"")), Texts{"region_name: has East, West: the first is taken"});
  EXPECT_EQ(region("regions: [], region_name: West")->region, "West");
  EXPECT_EQ(region("regions: [East], region_name: West")->region, "East") << "as openstacksdk";
  EXPECT_EQ(said(region("regions: [East], region_name: West")), Texts{"region_name: is not read beside regions"});
  EXPECT_EQ(region("x: y")->region, "");

  const auto values =
      region("regions: [{name: East, values: {interface: admin, auth: {project_name: e}}}], interface: internal");
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_EQ(values->interface, "admin");
  EXPECT_EQ(values->project, "e");
  EXPECT_EQ(values->username, "u");
  for (const char* bad : {"[{values: {}}]", "[{name: [a]}]", "[{name: a, more: b}]", "[[a]]", "East", "{name: East}"}) {
    EXPECT_NE(said(region("regions: " + std::string(bad)))[0].find("clouds.lab.regions: wanted "), std::string::npos)
        << bad;
  }
}

TEST_F(Clouds, FillInADomainThatIsSaidOnce) {
  const auto login = [&](const std::string& more) {
    return read("{clouds: {lab: {auth: {auth_url: \"http://k\", username: u, password: p, " + more + "}}}}");
  };
  const auto both = login("project_name: x, domain_id: d");
  EXPECT_EQ(both->user_domain_id, "d");
  EXPECT_EQ(both->project_domain_id, "d");
  const auto one = login("project_name: x, domain_name: D, user_domain_name: U");
  EXPECT_EQ(one->user_domain, "U");
  EXPECT_EQ(one->project_domain, "D");
  const auto standard = login("project_id: x, default_domain_id: d, project_domain_name: P");
  EXPECT_EQ(standard->user_domain_id, "d");
  EXPECT_EQ(standard->project_domain_id, "");
  EXPECT_EQ(standard->project_domain, "P");
  EXPECT_EQ(login("project_name: x")->user_domain, "Default");
}

TEST_F(Clouds, KnowWhatElseATokenMayBeFor) {
  const auto login = [&](const std::string& more) {
    return read("{clouds: {lab: {auth: {auth_url: \"http://k\", username: u, password: p" + more + "}}}}");
  };
  EXPECT_EQ(login(", domain_id: d")->scope_domain_id, "d");
  EXPECT_EQ(login(", domain_name: D")->scope_domain, "D");
  EXPECT_EQ(login(", trust_id: t")->trust_id, "t");
  EXPECT_TRUE(login(", system_scope: all")->system_scope);
  EXPECT_NE(said(login(", system_scope: some"))[0].find("auth.system_scope: wanted \"all\", found \"some\""),
            std::string::npos);
  EXPECT_NE(said(login(", trust_id: t, project_name: x"))[0].find(
                "auth: wanted one of a project, a domain, trust_id and system_scope, found a project, trust_id"),
            std::string::npos);
}

TEST_F(Clouds, KnowCertificatesAndPatience) {
  ::setenv("HOME", "/home/me", 1);
  const auto lab = with(", cacert: ~/ca.pem, cert: ~/me.pem, key: /k.pem, api_timeout: 12.5");
  ASSERT_TRUE(lab) << lab.error().message;
  EXPECT_EQ(lab->ca_file, "/home/me/ca.pem");
  EXPECT_EQ(lab->cert_file, "/home/me/me.pem");
  EXPECT_EQ(lab->key_file, "/k.pem");
  EXPECT_EQ(lab->timeout_s, 13u);
  EXPECT_TRUE(lab->verify);

  for (const char* off : {"verify: false", "verify: \"False\"", "insecure: true", "insecure: yes, verify: true"}) {
    EXPECT_FALSE(with(", " + std::string(off))->verify) << off;
  }
  EXPECT_EQ(said(with(", insecure: true, cacert: /c.pem")),
            Texts{"cacert: is not read: certificates are not verified"});
  EXPECT_EQ(with(", compute_timeout: 7")->timeout_s, 7u);
  EXPECT_EQ(with(", api_timeout: null")->timeout_s, 30u);
  EXPECT_EQ(said(with(", api_timeout: 900")), Texts{"api_timeout: is longer than 600 seconds, which are taken"});
  expect_refused("{clouds: {lab: {" + kLogin + ", key: /k}}}",
                 "clouds.lab.key: wanted a certificate beside it, in cert");
  for (const char* bad : {"0", "-1", "soon", "nan", "[1]"}) {
    expect_refused("{clouds: {lab: {" + kLogin + ", api_timeout: " + bad + "}}}", "clouds.lab.api_timeout: wanted a ");
  }
}

TEST_F(Clouds, CompareVersionsWithOurs) {
  for (const char* good :
       {"compute_api_version: 2", "compute_api_version: '2.1'", "compute_api_version: v2.1", "placement_api_version: 1",
        "placement_api_version: '1.0'", "identity_api_version: 3", "identity_api_version: '3.0'"}) {
    EXPECT_EQ(said(with(std::string(", ") + good)), Texts{}) << good;
  }
  EXPECT_EQ(said(with(", compute_api_version: '2.90'")),
            Texts{"compute_api_version: is not read: Emplace asks in Nova's microversion 2.73"});
  EXPECT_EQ(said(with(", compute_default_microversion: '2.90'")),
            Texts{"compute_default_microversion: is not read: Emplace names the versions that it needs"});
  EXPECT_NE(said(with(", identity_api_version: 2"))[0].find("clouds.lab.identity_api_version: wanted 3, found \"2\""),
            std::string::npos);
  expect_refused(
      "{clouds: {lab: {auth: {auth_url: \"http://k:5000/v2.0/\", username: u, password: hunter2, project_name: x}}}}",
      "clouds.lab.auth.auth_url: wanted Keystone's v3, found its v2.0");
}

TEST_F(Clouds, NameWhatIsNotRead) {
  EXPECT_EQ(said(with(", identity_interface: admin, compute_connect_retries: 3, vendor_hook: x, floating_ip_source: "
                      "nova, regoin_name: x")),
            (Texts{"compute_connect_retries: is not read: Emplace asks again by itself",
                   "identity_interface: is not read: Keystone is asked at auth_url",
                   "regoin_name: is not read: it is no key that OpenStack's clients know",
                   "vendor_hook: is not read: Emplace runs no hooks",
                   "note : floating_ip_source is not about what Emplace reads"}));
  EXPECT_EQ(said(read("{clouds: {lab: {auth: {auth_url: \"http://k\", username: u, password: p, project_name: x, "
                      "passcode: 7, pasword: 8}}}}")),
            (Texts{"auth.passcode: is not read: no kind of login that Emplace has needs it",
                   "auth.pasword: is not read: it is no key that OpenStack's clients know"}));
  for (const char* type : {"token", "v3token", "v2password", "v3oidcpassword", "v3kerberos", "v3multifactor", "none",
                           "http_basic", "admin_token"}) {
    expect_refused(
        "{clouds: {lab: {auth_type: " + std::string(type) + ", " + kLogin + "}}}",
        "clouds.lab.auth_type: wanted password or v3applicationcredential, found \"" + std::string(type) + '"');
  }
  EXPECT_TRUE(with(", auth_plugin: v3password"));
  EXPECT_TRUE(with(", auth_type: null"));
}

TEST_F(Clouds, LieOverTheirProfileOfCloudsPublic) {
  const std::string vendors =
      write("clouds-public.yaml", R"({public-clouds: {acme: {auth: {auth_url: "https://acme/v3", username: none},
      interface: admin, regions: [North], image_format: raw}, b: {}}})");
  const auto lab = [&](const std::string& text) {
    OpenstackEntry entry;
    entry.cloud = "lab";
    const auto taken =
        take_cloud(entry, {{write("clouds.yaml", text)}, {}, {(folder_ / "none.yml").string(), vendors}});
    return taken.map([&] { return entry; });
  };

  for (const std::string key : {"profile", "cloud"}) {
    const auto found = lab("{clouds: {lab: {" + key + ": acme, auth: {username: u, password: p, project_name: x}}}}");
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->auth_url, "https://acme/v3");
    EXPECT_EQ(found->username, "u");
    EXPECT_EQ(found->interface, "admin");
    EXPECT_EQ(found->region, "North");
  }
  const auto none = lab("{clouds: {lab: {profile: vexxhost, " + kLogin + "}}}");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("clouds.lab.profile: wanted one of the profiles of " + vendors +
                                      " (acme, b), found \"vexxhost\""),
            std::string::npos)
      << none.error().message;
}

TEST_F(Clouds, MergeMapsAsYamlDoes) {
  const auto lab = read(R"(
base: &base {auth: &auth {auth_url: "http://k", username: base, password: p, project_name: x}, interface: admin}
clouds:
  lab:
    <<: [{region_name: East}, *base]
    interface: internal
    auth: {<<: *auth, username: u}
)");

  ASSERT_TRUE(lab) << lab.error().message;
  EXPECT_EQ(lab->username, "u");
  EXPECT_EQ(lab->password, "p");
  EXPECT_EQ(lab->interface, "internal");
  EXPECT_EQ(lab->region, "East");
  EXPECT_NE(read("a: &a [*a]\nclouds: {lab: *a}").error().message.find("clouds.yaml:"), std::string::npos);
}

TEST_F(Clouds, AreWholeWithTheirSecrets) {
  const auto lab = read("{clouds: {lab: {auth: {auth_url: \"http://k\", username: u, project_name: x}}}}",
                        "{clouds: {lab: {auth: {password: p}, compute_endpoint_override: \"http://n\"}}}");
  ASSERT_TRUE(lab) << lab.error().message;
  EXPECT_EQ(lab->password, "p");
  EXPECT_EQ(lab->compute.url, "http://n");
  EXPECT_TRUE(read("{clouds: {lab: {" + kLogin + "}}}", "# nothing yet\n"));

  OpenstackEntry entry;
  entry.cloud = "lab";
  EXPECT_TRUE(take_cloud(entry, {{}, {write("secure.yaml", "{clouds: {lab: {" + kLogin + "}}}")}, {}}));
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
  expect_refused(
      "{clouds: {lab: {profile: vexxhost}}}",
      "clouds.lab.profile: wanted a profile of a clouds-public.yaml, of which there is none, found \"vexxhost\"");
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
  ::setenv("XDG_CONFIG_HOME", "/conf", 1);

  const CloudsPlaces places = usual_places();
  ::unsetenv("OS_CLIENT_CONFIG_FILE");
  ::unsetenv("XDG_CONFIG_HOME");

  std::vector<std::string> wanted = {"/x/my.yaml"};
  for (const char* folder :
       {".", "/conf/openstack", "/home/me/.config/openstack", "/etc/xdg/openstack", "/etc/openstack"}) {
    for (const char* ending : {"yaml", "yml", "json"}) wanted.push_back(std::string(folder) + "/clouds." + ending);
  }
  EXPECT_EQ(places.clouds, wanted);
  EXPECT_EQ(places.secure.front(), "./secure.yaml");
  EXPECT_EQ(places.vendors.front(), "./clouds-public.yaml");
}

}  // namespace
}  // namespace emplace
