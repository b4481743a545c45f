#include "service/core/decide/resource_classes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "service/core/change/takes.h"
#include "service/core/decide/built_in_rules.h"
#include "service/core/decide/screen.h"
#include "service/core/request/nova_flavor.h"
#include "service/core/request/request_json.h"
#include "tests/unit/cluster.h"
#include "tests/unit/cluster_rows.h"

namespace emplace {
namespace {

using testing_rows::numbered;

// ---- takes as text

TEST(ResourceTakes, AreReadAndWritten) {
  const std::string takes = R"([["numa/0/cpu/3",1,1],["resource/PCPU",40,56],["resource/VCPU",0,32]])";

  EXPECT_EQ(resources_in(takes), (ResourceAmounts{{"PCPU", 40}, {"VCPU", 0}}));
  EXPECT_TRUE(resources_in("").empty());
  EXPECT_TRUE(resources_in("[[\"resource/").empty());
  EXPECT_EQ(write_takes(read_takes(takes).value()), takes);
  EXPECT_EQ(write_takes({}), "");
}

TEST(ResourceTakes, TakeThePlaceOfOthers) {
  EXPECT_EQ(
      with_resources_of(R"([["pci/0/a=1",1,4],["resource/PCPU",2,4]])", R"([["resource/CUSTOM_X",1,1],["other",1,1]])"),
      R"([["pci/0/a=1",1,4],["resource/CUSTOM_X",1,1]])");
  EXPECT_EQ(with_resources_of(R"([["resource/PCPU",2,4]])", ""), "");
  EXPECT_EQ(with_resources_of("", ""), "");
}

TEST(ResourceTakes, CountInThePlaceOfAmounts) {
  const Counted all = counted({4, 1024, 20}, R"([["resource/VCPU",0,32],["resource/DISK_GB",5,100]])");
  EXPECT_EQ(all.vcpus, 0);
  EXPECT_EQ(all.memory_mib, 1024);
  EXPECT_EQ(all.disk_gib, 5);
}

TEST(ResourceAmountsText, IsReadBack) {
  const ResourceAmounts amounts{{"CUSTOM_X", 1}, {"PCPU", 40.5}, {"VCPU", -40}, {"VGPU", 0}};
  EXPECT_EQ(to_text(amounts), "CUSTOM_X 1;PCPU 40.5;VCPU -40");
  EXPECT_EQ(resource_amounts(to_text(amounts)), (ResourceAmounts{{"CUSTOM_X", 1}, {"PCPU", 40.5}, {"VCPU", -40}}));
  EXPECT_TRUE(resource_amounts("").empty());
}

// ---- what a RequestSpec asks for

std::string spec_with(const std::string& extra_specs, const std::string& fields = "", const std::string& vcpus = "4") {
  return R"({"request_spec":{"nova_object.name":"RequestSpec","nova_object.data":{
      "instance_uuid":"99c94309-570d-4195-9c24-42f9298cb3a5","num_instances":1,
      "flavor":{"nova_object.data":{"vcpus":)" +
         vcpus + R"(,"memory_mb":1024,"root_gb":10,"ephemeral_gb":0,"swap":0,
      "extra_specs":{)" +
         extra_specs + "}}}" + (fields.empty() ? "" : "," + fields) + "}}}";
}

VmRequest asked(const std::string& extra_specs, const std::string& fields = "", const std::string& vcpus = "4") {
  const auto request = parse_placement(spec_with(extra_specs, fields, vcpus));
  EXPECT_TRUE(request) << request.error().message;
  return request ? request->vm : VmRequest();
}

using Names = std::vector<std::string>;

TEST(FlavorsResources, AreThoseOfItsAmountsWhereItNamesNone) {
  EXPECT_TRUE(asked("").resources.empty());
  EXPECT_TRUE(asked(R"("hw:numa_nodes":"2","aggregate_instance_extra_specs:ssd":"true")").resources.empty());
}

TEST(FlavorsResources, TakeThePlaceOfItsAmounts) {
  const VmRequest vm = asked(
      R"("resources:VCPU":"0","resources:MEMORY_MB":"0","resources:DISK_GB":"0","resources:CUSTOM_BAREMETAL":"1")");
  EXPECT_EQ(vm.resources, (ResourceAmounts{{"CUSTOM_BAREMETAL", 1}, {"DISK_GB", 0}, {"MEMORY_MB", 0}, {"VCPU", 0}}));
  EXPECT_EQ(vm.vcpus, 4);
}

TEST(FlavorsResources, AddUpOverGroups) {
  EXPECT_EQ(asked(R"("resources1:VGPU":"1","resources2:VGPU":"2","resources_NET-1:CUSTOM_X":"1","group_policy":"none")")
                .resources,
            (ResourceAmounts{{"CUSTOM_X", 1}, {"VGPU", 3}}));
}

TEST(FlavorsResources, AreWholeAmountsOfClasses) {
  for (const char* wrong : {R"("resources:VGPU":"one")", R"("resources:VGPU":"-1")", R"("resources:VGPU":"1.5")",
                            R"("resources:VGPU":"")", R"("resources:VGPU":"99999999999999999999")",
                            R"("resources:":"1")", R"("resources1:lower":"1")", R"("resources:A B":"2")"}) {
    const auto request = parse_placement(spec_with(wrong));
    ASSERT_FALSE(request) << wrong;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalid);
    EXPECT_NE(request.error().message.find("request_spec.flavor.extra_specs.resources"), std::string::npos)
        << request.error().message;
  }
  EXPECT_EQ(asked(R"("resources:VGPU":1)").resources, (ResourceAmounts{{"VGPU", 1}}));
  EXPECT_TRUE(asked(R"("resources":"1","hw:resources":"x")").resources.empty());
}

TEST(FlavorsResources, OfARunningServerAreThoseThatCanBeRead) {
  const auto extra_specs =
      JsonDocument::parse(R"({"resources:VGPU":"1","resources:CUSTOM_X":"many","hw:cpu_policy":"dedicated"})");
  EXPECT_EQ(flavor_resources(extra_specs->root(), 4), (ResourceAmounts{{"PCPU", 4}, {"VCPU", 0}, {"VGPU", 1}}));
  EXPECT_TRUE(flavor_resources(std::nullopt, 4).empty());
}

TEST(FlavorsResources, CountDedicatedCoresAsPcpu) {
  const ResourceAmounts dedicated{{"PCPU", 4}, {"VCPU", 0}};
  EXPECT_EQ(asked(R"("hw:cpu_policy":"dedicated")").resources, dedicated);
  EXPECT_EQ(
      asked("", R"("image":{"nova_object.data":{"properties":{"nova_object.data":{"hw_cpu_policy":"dedicated"}}}})")
          .resources,
      dedicated);
  EXPECT_EQ(asked(R"("hw:cpu_policy":"dedicated","hw:emulator_threads_policy":"isolate")").resources,
            (ResourceAmounts{{"PCPU", 5}, {"VCPU", 0}}));
  EXPECT_EQ(asked(R"("resources:PCPU":"4")").resources, dedicated);
  EXPECT_TRUE(asked(R"("hw:cpu_policy":"shared")",
                    R"("image":{"nova_object.data":{"properties":{"nova_object.data":{"hw_cpu_policy":"dedicated"}}}})")
                  .resources.empty());
  EXPECT_EQ(
      asked(R"("hw:cpu_policy":"mixed","hw:cpu_dedicated_mask":"^0")",
            R"("numa_topology":{"nova_object.data":{"cells":[{"nova_object.data":{"cpuset":[0],"pcpuset":[1,2,3]}}]}})")
          .resources,
      (ResourceAmounts{{"PCPU", 3}, {"VCPU", 1}}));
}

TEST(FlavorsTraits, AreRequiredAndForbidden) {
  const VmRequest vm = asked(
      R"("trait:CUSTOM_A":"required","trait:CUSTOM_B":"forbidden","trait1:CUSTOM_C":"required","trait:CUSTOM_D":"maybe")",
      R"("image":{"nova_object.data":{"properties":{"nova_object.data":{"traits_required":["CUSTOM_E","CUSTOM_A"]}}}})");
  EXPECT_EQ(vm.traits, (Names{"CUSTOM_A", "CUSTOM_E"}));
  EXPECT_EQ(vm.forbidden_traits, Names{"CUSTOM_B"});
  EXPECT_EQ(asked(R"("hw:cpu_policy":"dedicated","hw:cpu_thread_policy":"isolate")").forbidden_traits,
            Names{"HW_CPU_HYPERTHREADING"});
  EXPECT_EQ(asked(R"("hw:cpu_policy":"dedicated","hw:cpu_thread_policy":"require")").traits,
            Names{"HW_CPU_HYPERTHREADING"});
  EXPECT_EQ(asked(R"("hw:tpm_version":"2.0")").traits, Names{"COMPUTE_SECURITY_TPM_2_0"});
}

// ---- hosts

struct Has {
  double total, ratio = 1;
};

HostRow cloud_host(const std::string& name, const std::map<std::string, Has>& inventories) {
  HostRow row;
  row.name = name;
  row.source = "openstack";
  row.memory_mib = 65536, row.disk_gib = 1000;
  std::string all;
  for (const auto& [cls, has] : inventories) {
    if (cls == "VCPU") row.vcpus = has.total, row.cpu_allocation_ratio = has.ratio;
    if (!all.empty()) all += ',';
    all += '"' + cls + R"(":{"total":)" + std::to_string(has.total) + R"(,"reserved":0,"allocation_ratio":)" +
           std::to_string(has.ratio) + '}';
  }
  row.nova_state = R"({"placement":{"inventories":{)" + all + "}}}";
  return row;
}

VmRow taking(std::uint64_t id, const std::string& host, double vcpus, const std::string& takes) {
  VmRow row;
  row.id = numbered(id);
  row.name = "vm" + std::to_string(id);
  row.host = host;
  row.state = VmState::kRunning;
  row.vcpus = vcpus;
  row.takes = takes;
  return row;
}

// The names of the hosts that filter "capacity" keeps, and its refusal of each other one.
struct Kept {
  Names hosts;
  std::map<std::string, Refusal> refused;
  std::vector<Unjudged> unjudged;
};

Kept kept_by(const std::string& filter, Cluster& cluster, const VmRequest& vm) {
  Rules rules;
  for (const auto& one : built_in_filters()) {
    if (one->traits().id == filter) rules.filters.push_back(one);
  }
  const Query query = cluster.query(vm);
  const Screened screened = screen(rules, query);
  Kept kept{{}, {}, screened.unjudged};
  for (std::uint32_t row = 0; row < cluster.picture().rows(Table::kHosts); ++row) {
    if (screened.kept.has(row)) {
      kept.hosts.push_back(cluster.name(row));
    } else {
      kept.refused[cluster.name(row)] = rules.filters.front()->explain(query, row, screened.reasons[row]);
    }
  }
  return kept;
}

VmRequest pinned(const std::string& vcpus) { return asked(R"("hw:cpu_policy":"dedicated")", "", vcpus); }

TEST(ResourceClasses, AreTwoBudgetsOfCpus) {
  Cluster cluster({cloud_host("a", {{"VCPU", {8, 4}}, {"PCPU", {56}}}),
                   taking(1, "a", 40, R"([["resource/PCPU",40,56],["resource/VCPU",0,32]])")});
  const std::uint32_t row = cluster.row("a");

  EXPECT_EQ(cluster.picture()[hosts::vcpus_free][row], 32);
  EXPECT_EQ(cluster.picture()[hosts::vcpus_used][row], 40);  // as Nova counts them
  const auto states = resource_states(cluster.picture(), row);
  ASSERT_EQ(states.size(), 1u);
  EXPECT_EQ(states[0].name, "PCPU");
  EXPECT_EQ(states[0].capacity, 56);
  EXPECT_EQ(states[0].used, 40);

  EXPECT_EQ(kept_by("capacity", cluster, asked("", "", "4")).hosts, Names{"a"});
  EXPECT_EQ(kept_by("capacity", cluster, asked("", "", "33")).hosts, Names{});
  EXPECT_EQ(kept_by("capacity", cluster, pinned("12")).hosts, Names{"a"});
  const Kept none = kept_by("capacity", cluster, pinned("20"));
  EXPECT_EQ(none.refused.at("a").code, "capacity.pcpu");
  EXPECT_EQ(none.refused.at("a").wanted, RuleValue(20.0));
  EXPECT_EQ(none.refused.at("a").found, RuleValue(16.0));
}

TEST(ResourceClasses, GiveBackWhatAVmTook) {
  const HostRow host = cloud_host("a", {{"VCPU", {8, 4}}, {"PCPU", {56}}});
  Cluster cluster({host, taking(1, "a", 40, R"([["resource/PCPU",40,56],["resource/VCPU",0,32]])"),
                   taking(1, "a", 40, ""), taking(2, "a", 2, R"([["resource/PCPU",2,56]])"),
                   VmRemoved{numbered(2), std::nullopt}});
  const std::uint32_t row = cluster.row("a");
  EXPECT_EQ(cluster.picture()[hosts::vcpus_free][row], -8);
  EXPECT_FALSE(cluster.picture()[hosts::resources_used].get(row));
}

TEST(ResourceClasses, OfBareMetalAreNoVcpus) {
  Cluster cluster({cloud_host("kvm", {{"VCPU", {64}}}), cloud_host("ironic", {{"CUSTOM_X", {1}}}),
                   cloud_host("taken", {{"CUSTOM_X", {1}}}), taking(1, "taken", 0, R"([["resource/CUSTOM_X",1,1]])")});
  const VmRequest vm = asked(
      R"("resources:VCPU":"0","resources:MEMORY_MB":"0","resources:DISK_GB":"0","resources:CUSTOM_X":"1")", "", "32");

  const Kept kept = kept_by("capacity", cluster, vm);

  EXPECT_EQ(kept.hosts, Names{"ironic"});
  EXPECT_EQ(kept.refused.at("kvm").code, "capacity.custom_x");
  EXPECT_EQ(kept.refused.at("kvm").found, RuleValue(0.0));
  EXPECT_EQ(kept.refused.at("taken").found, RuleValue(0.0));
}

TEST(ResourceClasses, TakeDedicatedCoresOfVcpuOnlyWhereNoHostHasPcpu) {
  Cluster both({cloud_host("shared", {{"VCPU", {64}}}), cloud_host("dedicated", {{"VCPU", {64}}, {"PCPU", {8}}})});
  EXPECT_EQ(kept_by("capacity", both, pinned("4")).hosts, Names{"dedicated"});
  EXPECT_EQ(kept_by("capacity", both, pinned("4")).refused.at("shared").code, "capacity.pcpu");
  EXPECT_EQ(kept_by("capacity", both, pinned("16")).hosts, Names{"shared"});
  EXPECT_EQ(kept_by("capacity", both, pinned("65")).hosts, Names{});
}

TEST(ResourceClasses, CountInCostsToo) {
  Cluster cluster({cloud_host("a", {{"VCPU", {8}}})}), dedicating({cloud_host("a", {{"VCPU", {8}}, {"PCPU", {8}}})});
  const auto load_of = [](Cluster& of, const VmRequest& vm) {
    for (const auto& one : built_in_objectives()) {
      if (one->traits().id == "resource.load")
        return one->evaluate(of.query(vm), std::vector<std::uint32_t>{0})->values.at(0);
    }
    return -1.0;
  };
  EXPECT_EQ(load_of(cluster, asked(R"("resources:VCPU":"4")", "", "200")), 50);
  EXPECT_EQ(load_of(cluster, pinned("4")), 50) << "of VCPU, where there is no PCPU";
  EXPECT_LT(load_of(dedicating, pinned("4")), 5) << "only memory and disk";
}

TEST(AllocationCandidates, AreTheOnlyHostsOfTheCloud) {
  HostRow in = cloud_host("in", {{"VCPU", {64}}}), out = in, ours = in, full = in;
  out.name = "out", ours.name = "ours", full.name = "full";
  in.nova_state = R"({"uuid":"00000000-0001-4000-8000-000000000001","placement":{"inventories":{}}})";
  out.nova_state = R"({"uuid":"00000000-0001-4000-8000-000000000002","placement":{"inventories":{}}})";
  full.nova_state = in.nova_state, full.vcpus = 1;
  ours.nova_state.clear(), ours.source = "libvirt";
  Cluster cluster({in, out, ours, full});
  const auto request = parse_placement(R"({"vm":{"vcpus":4,"memory_mib":1},"allocation_candidates":[
      "99999999-0001-4000-8000-000000000001","00000000-0001-4000-8000-000000000001"]})");
  ASSERT_TRUE(request) << request.error().message;

  const Kept kept = kept_by("capacity", cluster, request->vm);

  EXPECT_EQ(kept.hosts, (Names{"in", "ours"}));
  EXPECT_EQ(kept.refused.at("out").code, "capacity.allocation_candidates");
  EXPECT_EQ(kept.refused.at("full").code, "capacity.vcpus") << "what Emplace has promised counts as well";
  VmRequest none = request->vm;
  none.allocation_candidates->clear();
  EXPECT_EQ(kept_by("capacity", cluster, none).hosts, Names{"ours"});
}

TEST(AllocationCandidates, AreUuids) {
  const auto error_of = [](const std::string& list) {
    return parse_placement(R"({"vm":{"vcpus":4,"memory_mib":1},"allocation_candidates":)" + list + "}").error().message;
  };
  EXPECT_EQ(error_of(R"(["n1"])"), R"(allocation_candidates[0]: wanted the uuid of a resource provider, found "n1")");
  EXPECT_NE(error_of("5").find("allocation_candidates: wanted"), std::string::npos);
}

TEST(AllocationCandidates, HaveReadWhatOnlyPlacementCan) {
  const std::string spec = spec_with(R"("trait1:CUSTOM_NET":"required","group_policy":"none","hw:x":"1")");
  const auto parts_of = [](const std::string& body) { return parse_placement(body).value().parts; };
  const std::string key = "request_spec.flavor.extra_specs.";
  const auto without = parts_of(spec);
  EXPECT_EQ(std::ranges::count(without, key + "trait1:CUSTOM_NET"), 1);
  const auto with = parts_of(spec.substr(0, spec.size() - 1) + R"(,"allocation_candidates":[]})");
  EXPECT_EQ(std::ranges::count(with, key + "trait1:CUSTOM_NET"), 0);
  EXPECT_EQ(std::ranges::count(with, key + "group_policy"), 0);
  EXPECT_EQ(std::ranges::count(with, key + "hw:x"), 1);
}

TEST(ResourceClasses, AreNoVerdictWhereNobodyKnowsThem) {
  HostRow plain = cloud_host("plain", {{"VCPU", {64}}});
  plain.nova_state.clear();
  plain.source = "libvirt";
  HostRow sent = plain;
  sent.name = "sent", sent.source = "nova";
  Cluster cluster({plain, sent});

  const Kept kept = kept_by("capacity", cluster, asked(R"("resources:VGPU":"1")"));

  EXPECT_EQ(kept.hosts, (Names{"plain", "sent"}));
  ASSERT_EQ(kept.unjudged.size(), 1u);
  EXPECT_EQ(kept.unjudged[0].hosts, 1u);  // of the other one Nova has asked Placement itself
  EXPECT_EQ(kept.unjudged[0].first.code, "capacity.vgpu");
  EXPECT_EQ(kept_by("traits", cluster, asked(R"("trait:CUSTOM_A":"required")")).hosts, Names{"sent"});
}

TEST(ResourceClasses, AreTakenByTheNextVm) {
  Cluster cluster(
      {cloud_host("a", {{"VCPU", {8, 4}}, {"PCPU", {56}}, {"CUSTOM_X", {2}}}), cloud_host("b", {{"VCPU", {64}}})});
  const VmRequest vm = asked(R"("hw:cpu_policy":"dedicated","resources:CUSTOM_X":"1")");

  EXPECT_EQ(resource_takes(cluster.query(vm), cluster.row("a")),
            R"([["resource/CUSTOM_X",1,2],["resource/PCPU",4,56],["resource/VCPU",0,32]])");
  EXPECT_EQ(resource_takes(cluster.query(vm), cluster.row("b")), "");
  EXPECT_EQ(resource_takes(cluster.query(asked("")), cluster.row("a")), "");
}

// ---- groups that a RequestSpec tells

std::string group_of(const std::string& policy, const std::string& hosts, const std::string& members) {
  return R"("instance_group":{"nova_object.name":"InstanceGroup","nova_object.data":{"uuid":"c0ffee00-0000-4000-8000-000000000001",
         "policy":)" +
         policy + R"(,"policies":[],"_rules":{},"hosts":)" + hosts + R"(,"members":)" + members + "}}";
}

HostRow plain_host(const std::string& name) {
  HostRow row;
  row.name = name;
  row.vcpus = 8, row.memory_mib = 65536, row.disk_gib = 100;
  return row;
}

TEST(GroupOfARequestSpec, IsKeptApartByItsOwnWord) {
  Cluster cluster({plain_host("a"), plain_host("b"), plain_host("c"), taking(7, "b", 1, "")});
  const auto kept = [&](const std::string& group) { return kept_by("group", cluster, asked("", group)).hosts; };
  const std::string member = "[\"" + to_string(numbered(7)) + "\",\"no uuid\"]";

  EXPECT_EQ(kept(group_of("\"anti-affinity\"", "[\"A\"]", "null")), (Names{"b", "c"}));
  EXPECT_EQ(kept(group_of("\"anti-affinity\"", "null", member)), (Names{"a", "c"}));
  EXPECT_EQ(kept(group_of("\"affinity\"", "[\"a\",\"gone\"]", member)), (Names{"a", "b"}));
  EXPECT_EQ(kept(group_of("\"affinity\"", "[]", "[]")), (Names{"a", "b", "c"}));
  EXPECT_EQ(kept(group_of("null", "[\"a\"]", member)), (Names{"a", "b", "c"}));
  EXPECT_EQ(kept(group_of("\"custom\"", "[\"a\"]", member)), (Names{"a", "b", "c"}));
  EXPECT_EQ(kept(R"("instance_group":{"nova_object.data":{"policies":["anti-affinity"],"hosts":["a"]}})"),
            (Names{"b", "c"}));
  EXPECT_EQ(
      kept(
          R"("instance_group":{"nova_object.data":{"policy":"anti-affinity","_rules":{"max_server_per_host":"2"},"hosts":["a"]}})"),
      (Names{"a", "b", "c"}));
}

TEST(GroupOfARequestSpec, HasItsNameWhereThePictureKnowsIt) {
  const VmRequest vm = asked("", group_of("\"anti-affinity\"", "[]", "[]"));
  Cluster without({plain_host("a")});
  EXPECT_EQ(group_name(vm, without.picture()), "");

  GroupRow group;
  group.name = "c0ffee00-0000-4000-8000-000000000001";
  VmRow member = taking(7, "a", 1, "");
  member.group = group.name;
  Cluster with({plain_host("a"), plain_host("b"), group, member});
  EXPECT_EQ(group_name(vm, with.picture()), group.name);
  EXPECT_EQ(kept_by("group", with, vm).hosts, Names{"b"});
}

}  // namespace
}  // namespace emplace
