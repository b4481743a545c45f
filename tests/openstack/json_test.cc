#include <gtest/gtest.h>

#include "service/openstack/compute_nodes.h"
#include "service/openstack/identity.h"
#include "service/openstack/nova_json.h"
#include "service/openstack/placement_json.h"

namespace emplace::openstack {
namespace {

TEST(Login, IsThatOfAUserInAProject) {
  EXPECT_EQ(login_body({.username = "u", .password = "p\"w", .project = "demo", .project_domain = "D"}),
            R"({"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"u","password":"p\"w",)"
            R"("domain":{"name":"Default"}}}},"scope":{"project":{"name":"demo","domain":{"name":"D"}}}}})");
}

TEST(Login, PrefersIdsToNames) {
  EXPECT_EQ(login_body({.username = "u", .password = "p", .project_id = "77", .user_domain_id = "default"}),
            R"({"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"u","password":"p",)"
            R"("domain":{"id":"default"}}}},"scope":{"project":{"id":"77"}}}})");
  EXPECT_EQ(login_body({.password = "p", .project = "demo", .user_id = "5", .project_domain_id = "default"}),
            R"({"auth":{"identity":{"methods":["password"],"password":{"user":{"id":"5","password":"p"}}},)"
            R"("scope":{"project":{"name":"demo","domain":{"id":"default"}}}}})");
}

TEST(Login, IsThatOfAnApplicationCredentialWithoutScope) {
  EXPECT_EQ(
      login_body({.application_credential_id = "a", .application_credential_secret = "s"}),
      R"({"auth":{"identity":{"methods":["application_credential"],"application_credential":{"id":"a","secret":"s"}}}})");
}

TEST(Login, IsThatOfAnApplicationCredentialOfAUser) {
  EXPECT_EQ(login_body({.username = "u", .application_credential_secret = "s", .application_credential_name = "a"}),
            R"({"auth":{"identity":{"methods":["application_credential"],"application_credential":{"name":"a",)"
            R"("user":{"name":"u","domain":{"name":"Default"}},"secret":"s"}}}})");
}

TEST(Login, IsForADomainATrustOrTheSystem) {
  const auto scope = [](Credentials credentials) {
    credentials.username = "u";
    const std::string body = login_body(credentials);
    return body.substr(body.find("\"scope\""));
  };
  EXPECT_EQ(scope({.domain = "D"}), R"("scope":{"domain":{"name":"D"}}}})");
  EXPECT_EQ(scope({.domain_id = "d"}), R"("scope":{"domain":{"id":"d"}}}})");
  EXPECT_EQ(scope({.trust_id = "t"}), R"("scope":{"OS-TRUST:trust":{"id":"t"}}}})");
  EXPECT_EQ(scope({.system = true}), R"("scope":{"system":{"all":true}}}})");
}

constexpr std::string_view kToken = R"({"token":{"issued_at":"2026-11-21T10:00:00.000000Z",
  "expires_at":"2026-11-21T11:00:00.000000Z","catalog":[{"type":"compute","name":"nova","endpoints":[
  {"interface":"public","region_id":"R1","url":"http://a/v2.1/"},{"interface":"internal","region_id":"R2","url":"http://b"}]}]}})";

TEST(TokenAnswer, HasItsTimesAndEndpoints) {
  const auto token = read_token(kToken, "secret");

  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->expires_at_us - token->issued_at_us, std::int64_t{3'600'000'000});
  const auto& catalogue = token->catalogue;
  EXPECT_EQ(find_endpoint(catalogue, {"compute", "public"}).value(), "http://a/v2.1");
  EXPECT_EQ(find_endpoint(catalogue, {"compute", "internal", "R2", "nova"}).value(), "http://b");
  EXPECT_EQ(find_endpoint(catalogue, {.type = "compute", .url = "http://c//"}).value(), "http://c");
  EXPECT_FALSE(find_endpoint(catalogue, {"compute", "internal", "R1"}));
  EXPECT_EQ(
      find_endpoint(catalogue, {"compute", "public", "", "other"}).error().message,
      "service catalogue: wanted compute with interface public named other, found public in R1 named nova, internal "
      "in R2 named nova");
  EXPECT_EQ(find_endpoint(catalogue, {"placement", "public"}).error().message,
            "service catalogue: wanted placement with interface public, found none of that type, but compute");
  EXPECT_EQ(find_endpoint({}, {"placement", "public"}).error().message,
            "service catalogue: wanted placement with interface public, found an empty catalogue: the login is for no "
            "project, or for one without services");
}

TEST(Catalogue, NamesItsRegionsWhereNoneIsChosen) {
  const std::vector<CatalogueEntry> two = {{"compute", "public", "East", "http://e", "nova"},
                                           {"compute", "public", "East", "http://e2", "nova"},
                                           {"compute", "public", "West", "http://w", "nova"},
                                           {"compute", "admin", "West", "http://wa", "nova"}};

  EXPECT_EQ(
      find_endpoint(two, {"compute", "public"}).error().message,
      "service catalogue: compute is in the regions East, West: name one, as region of [openstack] or region_name "
      "of clouds.yaml");
  EXPECT_EQ(find_endpoint(two, {"compute", "public", "East"}).value(), "http://e");
  EXPECT_EQ(find_endpoint(two, {"compute", "admin"}).value(), "http://wa") << "the only one with that interface";
}

TEST(TokenAnswer, IsRefusedWhenItIsNone) {
  for (const std::string_view bad : {"", "[]", "{}", R"({"token":5})", R"({"token":{"issued_at":"now"}})"}) {
    const auto token = read_token(bad, "secret");
    ASSERT_FALSE(token) << bad;
    EXPECT_EQ(token.error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(token.error().message.find("secret"), std::string::npos);
  }
  EXPECT_FALSE(read_token(kToken, ""));
}

TEST(Servers, AreReadWithTheirFlavorsAsPlacementCountsThem) {
  const auto page = read_servers(R"({"servers":[
    {"id":"00000000-0000-4000-8000-000000000001","name":"web","tenant_id":"p","status":"ACTIVE","image":{"id":"x"},
     "OS-EXT-SRV-ATTR:host":"c1","OS-EXT-SRV-ATTR:hypervisor_hostname":"n1","OS-EXT-STS:vm_state":"active",
     "OS-EXT-STS:task_state":null,"flavor":{"vcpus":2,"ram":2048,"disk":20,"ephemeral":5,"swap":1025}},
    {"id":"00000000-0000-4000-8000-000000000002","name":"vol","tenant_id":"p","status":"BUILD","image":"",
     "OS-EXT-SRV-ATTR:host":null,"OS-EXT-STS:vm_state":"building","OS-EXT-STS:task_state":"spawning",
     "flavor":{"vcpus":1,"ram":512,"disk":20,"ephemeral":0,"swap":""}},
    {"id":"00000000-0000-4000-8000-000000000003","status":"DELETED","tenant_id":"p"},
    {"id":"00000000-0000-4000-8000-000000000004","status":"UNKNOWN","tenant_id":"p"}],
    "servers_links":[{"rel":"next","href":"http://nova/next"}]})");

  ASSERT_TRUE(page) << page.error().message;
  EXPECT_TRUE(page->more);
  ASSERT_EQ(page->rows.size(), 4u);
  EXPECT_EQ(page->rows[0].host, "c1");
  EXPECT_EQ(page->rows[0].node, "n1");
  EXPECT_EQ(page->rows[0].disk_gib, 20 + 5 + 2);
  EXPECT_EQ(page->rows[1].disk_gib, 0);
  EXPECT_EQ(page->rows[1].host, "");
  EXPECT_EQ(page->rows[1].task_state, "spawning");
  EXPECT_TRUE(page->rows[2].deleted);
  EXPECT_TRUE(page->rows[3].unreachable);
}

TEST(Servers, AreLeftOutAloneWithTheFieldThatIsMissing) {
  const std::string good = R"({"id":"00000000-0000-4000-8000-000000000007","name":"x","status":"ACTIVE",
    "OS-EXT-SRV-ATTR:host":null,"OS-EXT-STS:vm_state":"active","flavor":{"vcpus":1,"ram":1,"disk":1}})";
  const auto note = [&](const std::string& row) {
    const auto page = read_servers(R"({"servers":[)" + row + ',' + good + "]}");
    EXPECT_TRUE(page && page->rows.size() == 1 && page->listed == 2) << row;
    return page && page->notes.size() == 1 ? page->notes.front() : std::string("no note");
  };
  EXPECT_EQ(read_servers("{}").error().message, "Nova's answer: servers: wanted a value, found none");
  EXPECT_EQ(note(R"({"id":"1"})"), R"(Nova's answer: servers[0].id: wanted a uuid, found "1", in 1: it is left out)");
  EXPECT_EQ(note("null"), "Nova's answer: servers[0]: wanted an object, found null: it is left out");
  EXPECT_EQ(note(R"({"id":"00000000-0000-4000-8000-000000000001","status":"ACTIVE","OS-EXT-SRV-ATTR:host":"c1",
    "OS-EXT-STS:vm_state":"active","flavor":{"vcpus":-2,"ram":1,"disk":1}})"),
            "Nova's answer: servers[0].flavor.vcpus: wanted a whole number from 0 to 2147483648, found -2, in "
            "00000000-0000-4000-8000-000000000001: it is left out");
  EXPECT_NE(read_servers(R"({"servers":[)").error().message.find("Nova's answer: answer: "), std::string::npos);
}

TEST(Servers, AreNoneWhereARoleDoesNotSeeTheirHosts) {
  const auto read = [](std::string_view host) {
    return read_servers(R"({"servers":[{"id":"00000000-0000-4000-8000-000000000001","status":"ACTIVE",)" +
                        std::string(host) + R"("OS-EXT-STS:vm_state":"active","flavor":{"vcpus":1,"ram":1,"disk":1}},
      {"id":"00000000-0000-4000-8000-000000000002","status":"DELETED"}]})");
  };
  EXPECT_EQ(read("").error().message,
            "Nova's answer: servers: lacks OS-EXT-SRV-ATTR:host in every row: the user of [openstack] may not see it");
  EXPECT_EQ(read("").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(read(R"("OS-EXT-SRV-ATTR:host":null,)")->rows.size(), 2u);
  EXPECT_TRUE(read_servers(R"({"servers":[]})"));
}

TEST(Hypervisors, KeepTheirCpuInfoAsText) {
  const auto page = read_hypervisors(R"({"hypervisors":[{"id":"00000000-0000-4000-8000-000000000001","state":"down",
    "status":"disabled","hypervisor_hostname":"n1","hypervisor_type":"QEMU","hypervisor_version":6002000,"host_ip":"10.0.0.1",
    "cpu_info":{"arch":"x86_64"},"disk_available_least":null,"service":{"host":"c1","id":"s"}}]})");

  ASSERT_TRUE(page) << page.error().message;
  EXPECT_FALSE(page->more);
  const Hypervisor& one = page->rows.at(0);
  EXPECT_EQ(one.cpu_info, R"({"arch":"x86_64"})");
  EXPECT_EQ(one.version, 6002000);
  EXPECT_FALSE(one.up);
  EXPECT_FALSE(one.enabled);
  EXPECT_FALSE(one.disk_available_least_gib);
}

TEST(Services, AreThoseOfComputeNodes) {
  const auto all = read_services(R"({"services":[{"binary":"nova-scheduler","host":"x"},
    {"binary":"nova-compute","host":"c1","zone":"z1","status":"disabled","state":"down","forced_down":true,
     "updated_at":"2026-11-21T10:00:00.000000"},{"binary":"nova-compute","host":"c2","status":"UNKNOWN"}]})");

  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->rows.size(), 2u);
  EXPECT_TRUE(all->rows[1].unreachable && !all->rows[1].up);
  EXPECT_FALSE(all->rows[0].unreachable);
  EXPECT_TRUE(all->rows[0].disabled && all->rows[0].forced_down && !all->rows[0].up);
  EXPECT_EQ(all->rows[0].zone, "z1");
}

TEST(ServerGroups, HavePolicyRulesAndMembers) {
  const auto page = read_server_groups(R"({"server_groups":[{"id":"00000000-0000-4000-8000-000000000001","name":"g",
    "policy":"anti-affinity","rules":{"max_server_per_host":3},"members":["00000000-0000-4000-8000-000000000002"]},
    {"id":"00000000-0000-4000-8000-000000000003","name":"g","policy":"soft-affinity","rules":{},"members":[]}]})");

  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->rows.at(0).max_per_host, 3);
  EXPECT_EQ(page->rows.at(0).members.size(), 1u);
  EXPECT_EQ(page->rows.at(1).policy, GroupPolicy::kSoftAffinity);
  EXPECT_TRUE(page->more);
  EXPECT_FALSE(read_server_groups(R"({"server_groups":[]})")->more);
}

TEST(ServerGroups, AreLeftOutAloneWhereNobodyKnowsTheirPolicy) {
  const auto page = read_server_groups(R"({"server_groups":[
    {"id":"00000000-0000-4000-8000-000000000001","policy":null,"rules":{},"members":[]},
    {"id":"00000000-0000-4000-8000-000000000002","policy":"legacy","members":[]},
    {"id":"00000000-0000-4000-8000-000000000003","policy":"affinity","members":["x"]},
    {"id":"00000000-0000-4000-8000-000000000004","policy":"affinity","members":[null]},
    {"id":"00000000-0000-4000-8000-000000000005","policy":"affinity","members":[]}, 7,
    {"id":"00000000-0000-4000-8000-000000000006","policy":"close-to-the-lift","members":[]}]})");

  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->rows.size(), 1u);
  EXPECT_EQ(page->listed, 7u);
  ASSERT_EQ(page->notes.size(), 6u);
  EXPECT_NE(
      page->notes[0].find("server_groups[0].policy: wanted a value, found none, in 00000000-0000-4000-8000-0000000"),
      std::string::npos);
  EXPECT_NE(page->notes[1].find(R"(found "legacy")"), std::string::npos);
  EXPECT_NE(page->notes[5].find(R"(found "close-to-the-lift")"), std::string::npos);
}

TEST(Rows, AreLeftOutAloneInEveryTable) {
  const auto hypervisors =
      read_hypervisors(R"({"hypervisors":[{"id":5,"hypervisor_hostname":"a","service":{"host":"a"}},
    {"id":"00000000-0000-4000-8000-000000000002","hypervisor_hostname":"b","service":{"host":"b"}},
    {"id":"00000000-0000-4000-8000-000000000003","hypervisor_hostname":"c","service":null}]})");
  ASSERT_TRUE(hypervisors) << hypervisors.error().message;
  EXPECT_TRUE(hypervisors->rows.size() == 1 && hypervisors->notes.size() == 2);
  EXPECT_EQ(hypervisors->marker, "00000000-0000-4000-8000-000000000003");
  const auto services = read_services(R"({"services":[{"binary":"nova-compute","host":null},
    {"binary":"nova-compute","host":"c1"}]})");
  ASSERT_TRUE(services) << services.error().message;
  EXPECT_TRUE(services->rows.size() == 1 && services->notes.size() == 1);
  const auto aggregates = read_aggregates(R"({"aggregates":[{"name":"a","hosts":[7]},{"name":"b","hosts":["c1"]}]})");
  ASSERT_TRUE(aggregates) << aggregates.error().message;
  EXPECT_TRUE(aggregates->rows.size() == 1 && aggregates->notes.size() == 1);
  const auto providers = read_providers(R"({"resource_providers":[{"uuid":"x","generation":1,"root_provider_uuid":"x"},
    {"uuid":"00000000-0000-4000-8000-000000000001","generation":1,
     "root_provider_uuid":"00000000-0000-4000-8000-000000000001"}]})");
  ASSERT_TRUE(providers) << providers.error().message;
  EXPECT_TRUE(providers->rows.size() == 1 && providers->notes.size() == 1);
}

TEST(Versions, MustContainTheOneThatIsNeeded) {
  const auto message = [](std::string_view body) {
    const auto fits = check_version(body, "Nova", "2.73");
    return fits ? std::string("fits") : fits.error().message;
  };
  EXPECT_EQ(message(R"({"version":{"min_version":"2.1","version":"2.93"}})"), "fits");
  EXPECT_EQ(message(R"({"versions":[{"min_version":"","version":""},{"min_version":"2.1","max_version":"2.73"}]})"),
            "fits");
  EXPECT_EQ(message(R"({"version":{"min_version":"2.1","version":"2.9"}})"),
            "Nova: wanted an API that speaks microversion 2.73, found 2.1 to 2.9");
  EXPECT_EQ(message(R"({"version":{"min_version":"2.80","version":"2.99"}})"),
            "Nova: wanted an API that speaks microversion 2.73, found 2.80 to 2.99");
  EXPECT_EQ(message("{}"), "Nova: wanted an API that speaks microversion 2.73, found no microversions");
  EXPECT_NE(message("<html>").find("Nova: version document"), std::string::npos);
}

TEST(Nova, TellsAggregatesOfOneNameApart) {
  const auto aggregates =
      read_aggregates(R"({"aggregates":[{"id":1,"name":"a","hosts":["x"]},{"id":2,"name":"a","hosts":["y"]}]})");
  ASSERT_TRUE(aggregates) << aggregates.error().message;
  EXPECT_EQ(aggregates->rows.at(0).name, "a");
  EXPECT_EQ(aggregates->rows.at(1).name, "a #2");
}

TEST(Placement, SaysWhatAProviderHas) {
  const auto inventories = read_inventories(
      R"({"resource_provider_generation":1,"inventories":{"VCPU":{"total":64,"reserved":2,"allocation_ratio":16.0,"step_size":1}}})");
  ASSERT_TRUE(inventories) << inventories.error().message;
  EXPECT_EQ(inventories->rows.at("VCPU").total, 64);
  EXPECT_EQ(inventories->rows.at("VCPU").reserved, 2);
  EXPECT_EQ(inventories->rows.at("VCPU").ratio, 16.0);
  const Uuid consumer = *parse_uuid("00000000-0000-4000-8000-000000000009");
  EXPECT_EQ(read_allocations(R"({"allocations":{"00000000-0000-4000-8000-000000000009":{"resources":{"VCPU":3}}}})")
                ->rows.at(consumer)
                .at("VCPU"),
            3);
  EXPECT_EQ(read_traits(R"({"traits":["A",null,"B"]})")->rows, (std::vector<std::string>{"A", "B"}));
  const auto odd = read_inventories(R"({"inventories":{"VCPU":{},"DISK_GB":null,"MEMORY_MB":{"total":5}}})");
  ASSERT_TRUE(odd) << odd.error().message;
  EXPECT_TRUE(odd->rows.size() == 1 && odd->rows.at("MEMORY_MB").total == 5);
  EXPECT_EQ(odd->notes, (std::vector<std::string>{
                            "Placement's answer: inventories.VCPU.total: wanted a value, found none: it is left out",
                            "Placement's answer: inventories.DISK_GB: wanted an object, found null: it is left out"}));
  const auto others =
      read_allocations(R"({"allocations":{"00000000-0000-4000-8000-000000000008":{"resources":{"VCPU":null}},
      "x":{"resources":{}},"00000000-0000-4000-8000-000000000007":null,"00000000-0000-4000-8000-000000000009":{"resources":{"DISK_GB":3}}}})");
  EXPECT_EQ(others->rows.size(), 1u);
  EXPECT_EQ(others->notes.size(), 3u);
  EXPECT_FALSE(read_allocations("{}"));
  EXPECT_FALSE(read_providers(R"({"resource_providers":[{"uuid":"00000000-0000-4000-8000-000000000001"}]})"));
  EXPECT_FALSE(read_inventories(R"({"inventories":[]})"));
}

TEST(ComputeNodes, HaveColumnsOfAnyShape) {
  for (const std::string_view text :
       {"null", "[]", "{}", "7", "\"x\"", "true", "[null]", "[[]]", "[{}]", "[7]", "", "{"}) {
    const ComputeNode node = compute_node_of(Uuid(), {text, text, text, text, text});
    EXPECT_EQ(node.attributes.size() + node.notes.size(), 5u) << text;
  }
  const ComputeNode node = compute_node_of(Uuid(), {.metrics = "null"});
  EXPECT_EQ(*node.find("metrics"), "null");
}

}  // namespace
}  // namespace emplace::openstack
