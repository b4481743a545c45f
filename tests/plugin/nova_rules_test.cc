// Nova's default filters and weighers, through the shared object, on pictures.
#include <gtest/gtest.h>
#include <cmath>

#include <functional>

#include "tests/plugin/asking_nova.h"

namespace emplace {
namespace {

using asking::Asked;
using asking::from_nova;
using asking::host;
using asking::Loaded;
using asking::nova;
using asking::request;
using asking::with_state;
using testing_rows::numbered;
using testing_rows::picture_of;
using testing_rows::with_changes;
using Names = std::vector<std::string>;

Names kept(const char* filter, const std::shared_ptr<const Picture>& picture, VmRequest vm, std::int64_t now_us = 0) {
  const Asked asked(picture, std::move(vm), now_us);
  const auto screened = asking::screen(nova().filter(filter), asked);
  return screened.done ? screened.kept : Names{"failed: " + screened.done.error().message};
}

Refusal why(const char* filter, const std::shared_ptr<const Picture>& picture, VmRequest vm, const char* host_name,
            std::int64_t now_us = 0) {
  const Asked asked(picture, std::move(vm), now_us);
  const auto screened = asking::screen(nova().filter(filter), asked);
  const std::uint32_t row = picture->find_host(host_name);
  return nova().filter(filter).explain(*asked.query, row, screened.reasons[row]);
}

std::string text(const RuleValue& value) {
  if (const auto* string = std::get_if<std::string>(&value)) return *string;
  const auto* number = std::get_if<double>(&value);
  return number ? std::to_string(*number) : "";
}

// ---- ComputeFilter

constexpr std::int64_t kNow = 1795250230000000;  // 2026-11-21T08:37:10Z

std::shared_ptr<const Picture> services() {
  HostRow maintained = host("maintained"), down = host("down");
  maintained.state = HostState::kMaintenance;
  down.state = HostState::kDown;
  return picture_of({
      host("plain"),
      maintained,
      down,
      with_state("up",
                 R"({"service":{"disabled":false,"forced_down":false,"last_seen_up":"2026-11-21T08:36:10.000000"}})"),
      with_state("late", R"({"service":{"disabled":false,"last_seen_up":"2026-11-21T08:36:09.999999"}})"),
      with_state("ahead", R"({"service":{"disabled":false,"last_seen_up":"2026-11-21T08:38:10.000001"}})"),
      with_state("new",
                 R"({"service":{"disabled":false,"last_seen_up":null,"created_at":"2026-11-21T08:37:00.000000"}})"),
      with_state("off", R"({"service":{"disabled":true,"last_seen_up":"2026-11-21T08:37:10.000000"}})"),
      with_state("forced", R"({"service":{"forced_down":true,"last_seen_up":"2026-11-21T08:37:10.000000"}})"),
      with_state("never", R"({"service":{"disabled":false}})"),
      with_state("garbage", "not JSON"),
  });
}

TEST(ComputeFilter, KeepsServicesThatAreUp) {
  EXPECT_EQ(kept("ComputeFilter", services(), request(), kNow), (Names{"plain", "up", "new", "garbage"}));
}

TEST(ComputeFilter, SaysWhy) {
  const auto says = [](const char* name) { return why("ComputeFilter", services(), request(), name, kNow); };
  EXPECT_EQ(says("maintained").code, "nova.compute.disabled");
  EXPECT_EQ(text(says("maintained").found), "maintenance");
  EXPECT_EQ(says("off").code, "nova.compute.disabled");
  EXPECT_EQ(says("forced").code, "nova.compute.down");
  EXPECT_EQ(says("late").code, "nova.compute.not_heard_from");
  EXPECT_EQ(std::get<double>(says("late").wanted), 60);
  EXPECT_NEAR(std::get<double>(says("late").found), 60.000001, 1e-9);
  EXPECT_EQ(says("late").unit, "s");
}

TEST(ComputeFilter, DoesNotRunOnARebuild) {
  EXPECT_EQ(kept("ComputeFilter", services(), from_nova(R"("scheduler_hints":{"_nova_check_type":["rebuild"]})"), kNow)
                .size(),
            11u);
}

TEST(ComputeFilter, FollowsAHostAsItChanges) {
  const auto before =
      picture_of({with_state("h", R"({"service":{"disabled":false,"last_seen_up":"2026-11-21T08:37:10.000000"}})")});
  const auto after = with_changes(before, {with_state("h", R"({"service":{"disabled":true}})")});
  const auto last = with_changes(after, {host("h")});

  EXPECT_EQ(kept("ComputeFilter", before, request(), kNow), Names{"h"});
  EXPECT_EQ(kept("ComputeFilter", after, request(), kNow), Names{});
  EXPECT_EQ(kept("ComputeFilter", last, request(), kNow), Names{"h"});
  EXPECT_EQ(kept("ComputeFilter", before, request(), kNow), Names{"h"});
}

// ---- ComputeCapabilitiesFilter

std::shared_ptr<const Picture> capable() {
  return picture_of({
      with_state("a",
                 R"({"cpu_info":"{\"arch\":\"x86_64\",\"topology\":{\"cores\":16},\"features\":[\"aes\",\"avx2\"]}",
                         "hypervisor_type":"QEMU","hypervisor_version":7002002,"stats":{"gpu":"2","nested":"{\"deep\":5}"}})"),
      with_state(
          "b",
          R"({"cpu_info":{"arch":"aarch64","topology":{"cores":64}},"hypervisor_type":"xen","stats":{"gpu":"0"}})"),
      host("bare"),
  });
}

Names with_specs(const std::string& extra_specs) {
  return kept("ComputeCapabilitiesFilter", capable(),
              from_nova(R"("flavor":{"nova_object.data":{"extra_specs":)" + extra_specs + "}}"));
}

TEST(ComputeCapabilitiesFilter, WalksAttributesAndStats) {
  const Names all{"a", "b", "bare"};
  EXPECT_EQ(with_specs("{}"), all);
  EXPECT_EQ(with_specs(R"({"capabilities:cpu_info:arch":"x86_64"})"), Names{"a"});
  EXPECT_EQ(with_specs(R"({"capabilities:cpu_info:topology:cores":">= 16"})"), (Names{"a", "b"}));
  EXPECT_EQ(with_specs(R"({"capabilities:cpu_info:features":"<in> avx2"})"), Names{"a"});
  EXPECT_EQ(with_specs(R"({"capabilities:cpu_info:features":"<all-in> 'aes' 'avx2'"})"), Names{"a"});
  EXPECT_EQ(with_specs(R"({"capabilities:gpu":">= 1"})"), Names{"a"});
  EXPECT_EQ(with_specs(R"({"capabilities:nested:deep":"5"})"), Names{"a"});
  EXPECT_EQ(with_specs(R"({"capabilities:hypervisor_type":"<or> xen <or> QEMU"})"), (Names{"a", "b"}));
  EXPECT_EQ(with_specs(R"({"capabilities:nothing":"1"})"), Names{});
  EXPECT_EQ(with_specs(R"({"capabilities:free_ram_mb":"4096"})"), all) << "amounts are integers";
  EXPECT_EQ(with_specs(R"({"capabilities:cpu_allocation_ratio":"1.0"})"), all) << "ratios are floats";
}

TEST(ComputeCapabilitiesFilter, TakesUnnamespacedKeysOnlyWhereTheyNameSomething) {
  EXPECT_EQ(with_specs(R"({"gpu":"2"})"), (Names{"a", "bare"})) << "bare has no such stat, b has another";
  EXPECT_EQ(with_specs(R"({"hypervisor_version":">= 7000000"})"), Names{"a"}) << "an attribute of every host";
  EXPECT_EQ(with_specs(R"({"colour":"red","hw:cpu_policy":"dedicated","trait:X":"required"})").size(), 3u);
}

// What it remembers of a host ends with the host's state, and never covers amounts.
TEST(ComputeCapabilitiesFilter, FollowsAHostAsItChanges) {
  const std::string qemu = R"({"hypervisor_type":"QEMU","stats":{"gpu":1}})";
  HostRow larger = with_state("a", qemu);
  larger.memory_mib = 8192;
  const auto first = picture_of({with_state("a", qemu), host("b")});
  const auto second = with_changes(first, {larger, with_state("b", R"({"stats":{"hypervisor_type":"QEMU"}})")});
  const auto third = with_changes(second, {with_state("a", R"({"hypervisor_type":"xen"})"), host("b")});
  const auto with = [&](const std::shared_ptr<const Picture>& picture, const std::string& extra_specs) {
    return kept("ComputeCapabilitiesFilter", picture,
                from_nova(R"("flavor":{"nova_object.data":{"extra_specs":)" + extra_specs + "}}"));
  };
  const std::string type = R"({"capabilities:hypervisor_type":"QEMU"})";
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(with(first, type), Names{"a"});
    EXPECT_EQ(with(second, type), (Names{"a", "b"}));
    EXPECT_EQ(with(third, type), Names{});
    EXPECT_EQ(with(first, R"({"capabilities:free_ram_mb":">= 8000"})"), Names{});
    EXPECT_EQ(with(second, R"({"capabilities:free_ram_mb":">= 8000"})"), Names{"a"});
    EXPECT_EQ(with(second, R"({"capabilities:hypervisor_type":"QEMU","capabilities:gpu":">= 1"})"), Names{"a"});
  }
  for (int i = 0; i < 40; ++i) {
    const std::string number = std::to_string(i);
    EXPECT_EQ(with(second, R"({"capabilities:gpu":")" + number + "\"}"), i == 1 ? Names{"a"} : Names{}) << i;
  }
  EXPECT_EQ(with(second, type), (Names{"a", "b"}));
}

TEST(ComputeCapabilitiesFilter, FailsTheRequestWhereNovaRaises) {
  EXPECT_EQ(with_specs(R"({"capabilities:hypervisor_type":">= 3"})").front(),
            "failed: plugin nova, ComputeCapabilitiesFilter: could not convert string to float: 'QEMU'");
}

TEST(ComputeCapabilitiesFilter, SaysWhatIsMissing) {
  const Refusal refusal =
      why("ComputeCapabilitiesFilter", capable(),
          from_nova(R"("flavor":{"nova_object.data":{"extra_specs":{"capabilities:cpu_info:arch":"x86_64"}}})"), "b");
  EXPECT_EQ(refusal.code, "nova.capabilities");
  EXPECT_EQ(text(refusal.wanted), "capabilities:cpu_info:arch x86_64");
  EXPECT_EQ(text(refusal.found), "aarch64");
}

// ---- ImagePropertiesFilter

std::shared_ptr<const Picture> hypervisors() {
  return picture_of({
      with_state(
          "kvm",
          R"({"supported_instances":[["i686","kvm","hvm"],["x86_64","kvm","hvm"]],"hypervisor_version":6001000})"),
      with_state(
          "xen",
          R"({"supported_instances":[["x86_64","xen","xen"],["x86_64","xen","hvm"]],"hypervisor_version":4017000})"),
      with_state("arm", R"({"supported_instances":[["aarch64","kvm","hvm"]]})"),
      host("unknown"),
  });
}

Names with_image(const std::string& properties, const Loaded& plugin = nova()) {
  const Asked asked(hypervisors(), from_nova(R"("image":{"nova_object.data":{"properties":{"nova_object.data":)" +
                                             properties + "}}}"));
  const auto screened = asking::screen(plugin.filter("ImagePropertiesFilter"), asked);
  return screened.done ? screened.kept : Names{"failed: " + screened.done.error().message};
}

TEST(ImagePropertiesFilter, WantsAllInOneCombination) {
  EXPECT_EQ(with_image("{}").size(), 4u);
  EXPECT_EQ(kept("ImagePropertiesFilter", hypervisors(), request()).size(), 4u);
  EXPECT_EQ(with_image(R"({"hw_architecture":"amd64"})"), (Names{"kvm", "xen"}));
  EXPECT_EQ(with_image(R"({"hw_architecture":"i686","img_hv_type":"xen"})"), Names{});
  EXPECT_EQ(with_image(R"({"img_hv_type":"XAPI","hw_vm_mode":"pv"})"), Names{"xen"});
  EXPECT_EQ(with_image(R"({"hw_vm_mode":"hvm","img_hv_requested_version":">=6.0,<6.2"})"), (Names{"kvm", "arm"}))
      << "a host that does not know its version passes";
  EXPECT_EQ(with_image(R"({"img_hv_requested_version":">=9.0"})").size(), 4u) << "alone it is not looked at";
  EXPECT_EQ(with_image(R"({"hw_architecture":"z80"})").front(),
            "failed: plugin nova, ImagePropertiesFilter: architecture name 'z80' is not valid");
}

TEST(ImagePropertiesFilter, HasADefaultArchitecture) {
  const Loaded arm("nova", R"({"filter_scheduler":{"image_properties_default_architecture":"aarch64"}})",
                   asking::settings(EMPLACE_BUILT_PLUGINS));
  EXPECT_EQ(with_image("{}", arm), Names{"arm"});
  EXPECT_EQ(with_image(R"({"hw_architecture":"i686"})", arm), Names{"kvm"});
}

TEST(ImagePropertiesFilter, CountsAddressBitsAsMasterDoes) {
  const Loaded master("nova", R"({"release":"master"})", asking::settings(EMPLACE_BUILT_PLUGINS));
  const auto picture = picture_of({with_state("text", R"({"cpu_info":"{\"maxphysaddr\":{\"bits\":46}}"})"),
                                   with_state("dict", R"({"cpu_info":{"maxphysaddr":{"bits":52}}})"), host("unknown")});
  const auto with = [&](const std::string& properties, const Loaded& plugin) {
    const Asked asked(
        picture, from_nova(R"("image":{"nova_object.data":{"properties":{"nova_object.data":)" + properties + "}}}"));
    return asking::screen(plugin.filter("ImagePropertiesFilter"), asked).kept;
  };
  EXPECT_EQ(with(R"({"hw_maxphysaddr_bits":46})", master).size(), 3u);
  EXPECT_EQ(with(R"({"hw_maxphysaddr_bits":48})", master), (Names{"dict", "unknown"}));
  EXPECT_EQ(with(R"({"hw_maxphysaddr_bits":48,"hw_architecture":"x86_64"})", master), Names{});
  EXPECT_EQ(with(R"({"hw_maxphysaddr_bits":48})", nova()).size(), 3u) << "Zed knows nothing of it";
}

// ---- server groups

std::string uuid(std::uint64_t n) { return to_string(numbered(n)); }

std::shared_ptr<const Picture> groups() {
  return picture_of({host("h1"), host("h2"), host("h3"), GroupRow{"apart", GroupPolicy::kAntiAffinity, 2},
                     GroupRow{"close", GroupPolicy::kAffinity, 1}, asking::vm(1, "h1"), asking::vm(2, "h1"),
                     asking::vm(3, "h2"),
                     [] {
                       VmRow row = asking::vm(11, "h2");
                       row.group = "close";
                       return row;
                     }(),
                     [] {
                       VmRow row = asking::vm(21, "h3");
                       row.group = "apart";
                       return row;
                     }(),
                     [] {
                       VmRow row = asking::vm(22, "h3");
                       row.group = "apart";
                       return row;
                     }()});
}

std::string group(const std::string& policy, const std::string& members, const std::string& hosts,
                  const std::string& rules) {
  return R"("instance_uuid":")" + uuid(99) + R"(","instance_group":{"nova_object.data":{"policy":")" + policy +
         R"(","policies":[")" + policy + R"("],"members":[)" + members + R"(],"hosts":[)" + hosts + R"(],"_rules":)" +
         rules + "}}";
}

TEST(ServerGroupAntiAffinityFilter, CountsMembersOfTheSpec) {
  const std::string members = '"' + uuid(1) + "\",\"" + uuid(2) + "\",\"" + uuid(3) + "\",\"" + uuid(3) + '"';
  const auto filter = [&](const std::string& spec) {
    return kept("ServerGroupAntiAffinityFilter", groups(), from_nova(spec));
  };

  EXPECT_EQ(filter(group("anti-affinity", members, "", "{}")), Names{"h3"});
  EXPECT_EQ(filter(group("anti-affinity", members, "", R"({"max_server_per_host":"2"})")), (Names{"h2", "h3"}));
  EXPECT_EQ(filter(group("soft-anti-affinity", members, "", "{}")).size(), 3u);
  EXPECT_EQ(filter(R"("instance_group":null)").size(), 3u);

  std::string own = group("anti-affinity", members, "", "{}");
  own.replace(own.find(uuid(99)), 36, uuid(1));
  EXPECT_EQ(filter(own), (Names{"h1", "h3"})) << "a move on the same host passes";
}

TEST(ServerGroupAntiAffinityFilter, KnowsGroupsOfThePicture) {
  VmRequest vm = request();
  vm.group = "apart";
  EXPECT_EQ(kept("ServerGroupAntiAffinityFilter", groups(), vm), (Names{"h1", "h2"}));
  const Refusal refusal = why("ServerGroupAntiAffinityFilter", groups(), vm, "h3");
  EXPECT_EQ(std::get<double>(refusal.wanted), 2);
  EXPECT_EQ(std::get<double>(refusal.found), 2);
}

TEST(ServerGroupAntiAffinityFilter, SeesMembersMove) {
  const auto before = groups();
  const auto after = with_changes(before, {asking::vm(3, "h3")});
  const auto last = with_changes(after, {VmRemoved{numbered(3)}});
  const std::string spec = group("anti-affinity", '"' + uuid(3) + '"', "", "{}");

  EXPECT_EQ(kept("ServerGroupAntiAffinityFilter", before, from_nova(spec)), (Names{"h1", "h3"}));
  EXPECT_EQ(kept("ServerGroupAntiAffinityFilter", after, from_nova(spec)), (Names{"h1", "h2"}));
  EXPECT_EQ(kept("ServerGroupAntiAffinityFilter", last, from_nova(spec)).size(), 3u);
}

TEST(ServerGroupAffinityFilter, StaysWithTheGroupsHosts) {
  const auto filter = [&](const std::string& spec) {
    return kept("ServerGroupAffinityFilter", groups(), from_nova(spec));
  };
  EXPECT_EQ(filter(group("affinity", "", R"("h3","gone")", "{}")), Names{"h3"});
  EXPECT_EQ(filter(group("affinity", "", "", "{}")).size(), 3u);
  EXPECT_EQ(filter(group("anti-affinity", "", R"("h3")", "{}")).size(), 3u);

  VmRequest vm = request();
  vm.group = "close";
  EXPECT_EQ(kept("ServerGroupAffinityFilter", groups(), vm), Names{"h2"});
}

// ---- weighers

TEST(NovaWeighers, WeighWhatIsFree) {
  HostRow first = host("a", 8192), second = host("b", 2048);
  first.memory_reserved_mib = 512, first.cpu_allocation_ratio = 4, first.vcpus_reserved = 1;
  second.nova_state = R"({"disk_available_least":7})";
  const Asked asked(picture_of({first, second, asking::vm(1, "a", 1024), asking::vm(2, "b", 4096)}), request());

  const auto weigh = [&](const char* id) { return nova().weigher(id).weigh(*asked.query, asked.hosts()).value(); };

  EXPECT_EQ(weigh("RAMWeigher").raw, (std::vector<double>{8192 - 512 - 1024, 0})) << "not below the least";
  EXPECT_EQ(weigh("CPUWeigher").raw, (std::vector<double>{64 - 1 - 1, 15}));
  EXPECT_EQ(weigh("DiskWeigher").raw, (std::vector<double>{99 * 1024, 7 * 1024}));
  EXPECT_EQ(weigh("RAMWeigher").minimum, 0);
  EXPECT_FALSE(weigh("RAMWeigher").maximum);
  EXPECT_TRUE(weigh("RAMWeigher").multipliers.empty());
  EXPECT_EQ(nova().weigher("RAMWeigher").default_multiplier(), 1);
}

TEST(NovaWeighers, TakeTheLeastMultiplierOfAHostsAggregates) {
  HostRow both = host("both"), bad = host("bad"), none = host("none");
  both.aggregates = {"two", "minus"};
  bad.aggregates = {"two", "words"};
  const Asked asked(picture_of({AggregateRow{"two", {{"ram_weight_multiplier", "2"}}},
                                AggregateRow{"minus", {{"ram_weight_multiplier", " -1.5 "}, {"x", "y"}}},
                                AggregateRow{"words", {{"ram_weight_multiplier", "many"}}}, both, bad, none}),
                    request());

  const auto weights = nova().weigher("RAMWeigher").weigh(*asked.query, asked.hosts()).value();

  ASSERT_EQ(weights.multipliers.size(), 3u);
  EXPECT_EQ(weights.multipliers[0], -1.5);
  EXPECT_TRUE(std::isnan(weights.multipliers[1])) << "no number: the profile's";
  EXPECT_TRUE(std::isnan(weights.multipliers[2]));
  EXPECT_TRUE(nova().weigher("CPUWeigher").weigh(*asked.query, asked.hosts()).value().multipliers.empty());
}

TEST(NovaSpec, RefusesWhatItCannotRead) {
  VmRequest vm = request();
  vm.nova_spec = "[1]";
  EXPECT_EQ(
      kept("ImagePropertiesFilter", hypervisors(), vm).front(),
      "failed: plugin nova, ImagePropertiesFilter: request_spec: wanted a RequestSpec primitive, found no JSON object");
}

}  // namespace
}  // namespace emplace
