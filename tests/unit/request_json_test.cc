#include "service/core/request/request_json.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace emplace {
namespace {

std::string with_vm(const std::string& fields, const std::string& options = "") {
  return R"({"vm":{"name":"a","vcpus":1,"memory_mib":512)" + (fields.empty() ? "" : "," + fields) + "}" +
         (options.empty() ? "" : "," + options) + "}";
}

std::string request_fault(const std::string& json) {
  const auto request = parse_placement(json);
  return request ? "" : request.error().message;
}

bool begins(const std::string& text, std::string_view with) { return text.starts_with(with); }

TEST(ParsePlacement, GivesTheDocumentedDefaults) {
  const auto request = parse_placement(R"({"vm":{"vcpus":2,"memory_mib":4096}})");

  ASSERT_TRUE(request);
  EXPECT_EQ(request->vm.vcpus, 2);
  EXPECT_EQ(request->vm.disk_gib, 0);
  EXPECT_TRUE(request->vm.id.is_zero());
  EXPECT_EQ(request->options.count, 1u);
  EXPECT_EQ(request->options.profile, "default");
  EXPECT_EQ(request->options.ttl_s, 60u);
  EXPECT_EQ(request->options.alternates, 3u);
  EXPECT_EQ(request->options.explain, ExplainLevel::kSummary);
  EXPECT_FALSE(request->options.claim || request->options.start || request->options.dry_run || request->options.record);
}

TEST(ParsePlacement, ReadsEveryField) {
  const auto request = parse_placement(with_vm(
      R"("id":"5b0c9f1e-6a34-4b7e-9b8e-111111111111","disk_gib":40,"project":"p","group":"g","zone":"z1","traits":["SSD"],
                 "forbidden_traits":["SLOW"],"numa_nodes":2,"spread":{"by":"rack","group":"sg","domain":"d1"},"image":"i",
                 "flavor":"f","template":"t","parameters":{"kernel":"/k"},"only_hosts":["h1"],"ignore_hosts":["h2"])",
      R"("count":1,"profile":"x","dry_run":false,"claim":true,"ttl_s":5,"start":true,"alternates":7,"explain":"full",
                 "record":true,"what_if":[],"deadline_ms":100)"));

  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(to_string(request->vm.id), "5b0c9f1e-6a34-4b7e-9b8e-111111111111");
  EXPECT_EQ(request->vm.spread.by, SpreadBy::kRack);
  EXPECT_EQ(request->vm.spread.domain, "d1");
  EXPECT_EQ(request->vm.parameters.at("kernel"), "/k");
  EXPECT_EQ(request->vm.numa_nodes, 2u);
  EXPECT_EQ(request->options.explain, ExplainLevel::kFull);
  EXPECT_EQ(request->parts,
            (std::vector<std::string>{"vm.vcpus", "vm.memory_mib", "vm.disk_gib", "vm.project", "vm.group", "vm.zone",
                                      "vm.traits", "vm.forbidden_traits", "vm.numa_nodes", "vm.spread", "vm.image",
                                      "vm.flavor", "vm.template", "vm.parameters.kernel", "vm.only_hosts",
                                      "vm.ignore_hosts"}));
}

TEST(ParsePlacement, TakesNullWhereTheDefaultIsNull) {
  EXPECT_EQ(request_fault(with_vm(
                R"("id":null,"group":null,"zone":null,"image":null,"flavor":null,"template":null,"spread":null)")),
            "");
}

TEST(ParsePlacement, LetsStartImplyClaim) {
  const auto request = parse_placement(with_vm("", R"("start":true)"));
  ASSERT_TRUE(request);
  EXPECT_TRUE(request->options.claim);
}

TEST(ParsePlacement, NamesTheFieldThatIsWrong) {
  EXPECT_TRUE(begins(request_fault("{}"), "vm: wanted exactly one of vm and request_spec, found none"));
  EXPECT_TRUE(begins(request_fault("[]"), "body: wanted an object"));
  EXPECT_TRUE(begins(request_fault(R"({"vm":{"vcpus":1}})"), "vm.memory_mib: wanted a value, found none"));
  EXPECT_TRUE(begins(request_fault(with_vm(R"("disk_gib":-1)")), "vm.disk_gib: wanted a whole number"));
  EXPECT_TRUE(begins(request_fault(with_vm(R"("disk_gib":1e300)")), "vm.disk_gib: wanted a whole number"));
  EXPECT_TRUE(
      begins(request_fault(with_vm(R"("numa_nodes":33)")), "vm.numa_nodes: wanted a whole number from 0 to 32"));
  EXPECT_TRUE(begins(request_fault(with_vm(R"("colour":"red")")), "vm.colour: wanted no such field"));
  EXPECT_TRUE(begins(request_fault(with_vm(R"("id":"x")")), "vm.id: wanted a uuid"));
  EXPECT_TRUE(begins(request_fault(with_vm(R"("spread":{"by":"planet","group":"g","domain":"d"})")),
                     "vm.spread.by: wanted one of rack, zone"));
  EXPECT_TRUE(
      begins(request_fault(with_vm(R"("spread":{"by":"rack","group":"g"})")), "vm.spread.domain: wanted a value"));
  EXPECT_TRUE(begins(request_fault(with_vm("", R"("explain":"much")")), "explain: wanted one of none, summary, full"));
  EXPECT_TRUE(begins(request_fault(with_vm("", R"("count":0)")), "count: wanted a whole number from 1 to 1000"));
  EXPECT_TRUE(begins(request_fault(with_vm("", R"("ttl_s":0)")), "ttl_s: wanted a whole number"));
  EXPECT_TRUE(begins(request_fault(with_vm("", R"("dry_run":"yes")")), "dry_run: wanted true or false"));
  EXPECT_TRUE(begins(request_fault(with_vm("", R"("frobnicate":1)")), "frobnicate: wanted no such field"));
}

TEST(ParsePlacement, RefusesOptionsThatContradict) {
  EXPECT_TRUE(begins(request_fault(with_vm("", R"("dry_run":true,"claim":true)")), "dry_run:"));
  EXPECT_TRUE(
      begins(request_fault(with_vm("", R"("claim":true,"what_if":[{"kind":"host_removed","name":"h"}])")), "what_if:"));
  EXPECT_TRUE(begins(request_fault(R"({"vm":{"vcpus":1,"memory_mib":1},"claim":true})"), "vm.name:"));
}

TEST(ParsePlacement, ReadsAWhatIf) {
  const auto request = parse_placement(with_vm("", R"("what_if":[{"kind":"host","name":"h9","vcpus":4,"memory_mib":8},
      {"kind":"vm_removed","id":"5b0c9f1e-6a34-4b7e-9b8e-111111111111"},{"kind":"host_removed","name":"h1"}])"));

  ASSERT_TRUE(request) << request.error().message;
  ASSERT_EQ(request->options.what_if.size(), 3u);
  EXPECT_EQ(std::get<HostRow>(request->options.what_if[0]).name, "h9");
  EXPECT_EQ(std::get<HostRemoved>(request->options.what_if[2]).name, "h1");
  EXPECT_TRUE(begins(request_fault(with_vm("", R"("what_if":[{"kind":"moon"}])")), "what_if[0].kind: wanted one of"));
}

TEST(InstanceOf, NumbersTheNamesOfAMultiCreate) {
  PlacementRequest request;
  request.vm.name = "web";
  EXPECT_EQ(instance_of(request, 0).name, "web");
  request.options.count = 2;
  EXPECT_EQ(instance_of(request, 0).name, "web-1");
  EXPECT_EQ(instance_of(request, 1).name, "web-2");
}

// ---- Nova's RequestSpec

std::string spec(const std::string& fields) {
  return R"({"request_spec":{"nova_object.name":"RequestSpec","nova_object.namespace":"nova","nova_object.version":"1.14",
    "nova_object.data":{"instance_uuid":"99c94309-570d-4195-9c24-42f9298cb3a5","project_id":"proj","num_instances":1,
    "availability_zone":null,"scheduler_hints":{},"ignore_hosts":null,"force_hosts":null,"is_bfv":false,
    "flavor":{"nova_object.name":"Flavor","nova_object.data":{"vcpus":4,"memory_mb":8192,"root_gb":80,"ephemeral_gb":10,
              "swap":1500,"name":"m1.large","extra_specs":{}}})" +
         (fields.empty() ? "" : "," + fields) + "}}}";
}

// The same with one field replaced.
std::string replaced(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST(ParseNovaSpec, MapsTheFlavorAndTheRest) {
  const auto request =
      parse_placement(replaced(spec(""), R"("availability_zone":null)", R"("availability_zone":"az1")"));

  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(to_string(request->vm.id), "99c94309-570d-4195-9c24-42f9298cb3a5");
  EXPECT_EQ(request->vm.vcpus, 4);
  EXPECT_EQ(request->vm.memory_mib, 8192);
  EXPECT_EQ(request->vm.disk_gib, 80 + 10 + 2);
  EXPECT_EQ(request->vm.project, "proj");
  EXPECT_EQ(request->vm.zone, "az1");
  EXPECT_EQ(request->vm.flavor, "m1.large");
  EXPECT_FALSE(request->vm.nova_spec.empty());
}

TEST(ParseNovaSpec, CountsNoRootDiskOfAVolumeBoot) {
  const auto request = parse_placement(replaced(spec(""), R"("is_bfv":false)", R"("is_bfv":true)"));
  EXPECT_EQ(request.value().vm.disk_gib, 10 + 2);
}

TEST(ParseNovaSpec, MapsHostsAndCount) {
  std::string text = replaced(spec(""), R"("ignore_hosts":null)", R"("ignore_hosts":["c1"])");
  text = replaced(text, R"("num_instances":1)", R"("num_instances":3)");
  auto request = parse_placement(replaced(text, R"("force_hosts":null)", R"("force_hosts":["c2"])"));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->vm.ignore_hosts, std::vector<std::string>{"c1"});
  EXPECT_EQ(request->vm.only_hosts, std::vector<std::string>{"c2"});
  EXPECT_EQ(request->options.count, 3u);

  request =
      parse_placement(spec(R"("requested_destination":{"nova_object.data":{"host":"c3","node":null,"cell":null}})"));
  EXPECT_EQ(request.value().vm.only_hosts, std::vector<std::string>{"c3"});
}

TEST(ParseNovaSpec, ListsEveryPartThatAsksForSomething) {
  std::string text =
      replaced(spec(R"("pci_requests":{"nova_object.data":{"requests":[{"nova_object.data":{"count":1}}]}},
      "numa_topology":null,"retry":null,"requested_resources":[],"novelty_of_a_later_release":{"a":1},
      "security_groups":{"nova_object.data":{"objects":[]}},"limits":{"nova_object.data":{"vcpu":null}},
      "network_metadata":{"nova_object.data":{"physnets":[],"tunneled":false}},
      "image":{"nova_object.data":{"name":"debian","min_disk":10,"min_ram":0,
               "properties":{"nova_object.data":{"hw_disk_bus":"virtio"}}}})"),
               R"("extra_specs":{})", R"("extra_specs":{"hw:cpu_policy":"dedicated"})");
  text = replaced(text, R"("scheduler_hints":{})", R"("scheduler_hints":{"different_host":["x"]})");

  const auto request = parse_placement(text);

  ASSERT_TRUE(request) << request.error().message;
  auto parts = request->parts;
  std::sort(parts.begin(), parts.end());
  EXPECT_EQ(parts,
            (std::vector<std::string>{
                "request_spec.flavor.ephemeral_gb", "request_spec.flavor.extra_specs.hw:cpu_policy",
                "request_spec.flavor.memory_mb", "request_spec.flavor.root_gb", "request_spec.flavor.swap",
                "request_spec.flavor.vcpus", "request_spec.image.min_disk", "request_spec.image.properties.hw_disk_bus",
                "request_spec.novelty_of_a_later_release", "request_spec.pci_requests", "request_spec.project_id",
                "request_spec.scheduler_hints.different_host"}));
}

TEST(ParseNovaSpec, NamesTheFieldThatIsWrong) {
  EXPECT_TRUE(begins(request_fault(R"({"request_spec":{}})"), "request_spec: wanted a RequestSpec primitive"));
  EXPECT_TRUE(begins(request_fault(R"({"request_spec":[]})"), "request_spec: wanted a RequestSpec primitive"));
  EXPECT_TRUE(
      begins(request_fault(R"({"request_spec":{"nova_object.data":{}}})"), "request_spec.flavor: wanted a value"));
  EXPECT_TRUE(begins(request_fault(replaced(spec(""), R"("vcpus":4)", R"("vcpus":"4")")),
                     "request_spec.flavor.vcpus: wanted a whole number"));
  EXPECT_TRUE(begins(request_fault(replaced(spec(""), R"("ignore_hosts":null)", R"("ignore_hosts":[1])")),
                     "request_spec.ignore_hosts[0]:"));
}

}  // namespace
}  // namespace emplace
