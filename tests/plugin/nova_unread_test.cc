// What Nova's scheduler knows of a host and its APIs do not tell is no verdict on the host.
#include <gtest/gtest.h>

#include <cmath>

#include "service/core/answer/explanation.h"
#include "tests/plugin/asking_nova.h"

namespace emplace {
namespace {

using asking::Asked;
using asking::from_nova;
using asking::Loaded;
using asking::nova;
using asking::with_state;
using testing_rows::picture_of;
using Names = std::vector<std::string>;

const std::string kUnread =
    R"("unread":["supported_instances","numa_topology","pci_stats","metrics","failed_builds","cell_uuid","stats","num_io_ops"])";
const std::string kWantsImage =
    R"("image":{"nova_object.data":{"properties":{"nova_object.data":{"hw_architecture":"x86_64"}}}})";
const std::string kWantsCapability =
    R"("flavor":{"nova_object.data":{"extra_specs":{"capabilities:gpu_model":"a100","capabilities:hypervisor_type":"QEMU"}}})";

std::string query(const std::string& json) { return R"("scheduler_hints":{"query":[")" + json + R"("]})"; }
const std::string kQuery = query(R"([\"<\", \"$num_io_ops\", 5])");

struct UnreadCase {
  const char* filter;
  std::string spec;
  const char* unread;
};
const std::vector<UnreadCase> kUnreadCases = {{"NUMATopologyFilter", asking::one_dedicated_cpu(), "numa_topology"},
                                              {"PciPassthroughFilter", asking::one_card(), "pci_stats"},
                                              {"ImagePropertiesFilter", kWantsImage, "supported_instances"},
                                              {"ComputeCapabilitiesFilter", kWantsCapability, "gpu_model"},
                                              {"IoOpsFilter", R"("flavor":null)", "num_io_ops"},
                                              {"JsonFilter", kQuery, "num_io_ops"}};

// The host of the cloud's API, one whose state Nova sent, and one of which nobody said anything.
std::shared_ptr<const Picture> unread_hosts() {
  return picture_of({with_state("api", "{\"hypervisor_type\":\"QEMU\"," + kUnread + "}"),
                     with_state("sent", R"({"hypervisor_type":"QEMU","num_io_ops":9,"stats":{}})"),
                     with_state("other", R"({"hypervisor_type":"xen",)" + kUnread + "}")});
}

Rules rules_with(const Loaded& plugin, std::string_view id) {
  Rules rules;
  for (const auto& filter : plugin.rules.filters)
    if (filter->traits().id == id) rules.filters.push_back(filter);
  return rules;
}

TEST(NovaUnread, IsNotJudged) {
  for (const auto& [filter, spec, unread] : kUnreadCases) {
    const Asked asked(unread_hosts(), from_nova(spec));

    const Screened screened = screen(rules_with(nova(), filter), *asked.query);

    EXPECT_TRUE(screened.kept.has(0)) << filter;
    EXPECT_FALSE(screened.kept.has(1)) << filter << ": what Nova sent is Nova's own word";
    EXPECT_TRUE(screened.degraded.empty()) << filter;
    ASSERT_EQ(screened.unjudged.size(), 1u) << filter;
    const Degraded said = degraded_of(screened.unjudged[0]);
    EXPECT_EQ(said.plugin, filter);
    EXPECT_NE(said.why.find(unread), std::string::npos) << said.why;
    EXPECT_NE(said.why.find("were not judged"), std::string::npos) << said.why;
  }
}

TEST(NovaUnread, IsNotJudgedByADefaultArchitecture) {
  const Loaded arm("nova", R"({"filter_scheduler":{"image_properties_default_architecture":"aarch64"}})",
                   asking::settings(EMPLACE_BUILT_PLUGINS));
  const Asked asked(unread_hosts(), from_nova(R"("image":null)"));

  const Screened screened = screen(rules_with(arm, "ImagePropertiesFilter"), *asked.query);

  EXPECT_TRUE(screened.kept.has(0) && !screened.kept.has(1) && screened.kept.has(2));
  ASSERT_EQ(screened.unjudged.size(), 1u);
  EXPECT_EQ(screened.unjudged[0].hosts, 2u);
}

TEST(NovaUnread, DoesNotHideWhatIsKnown) {
  const Asked asked(unread_hosts(), from_nova(kWantsCapability));

  EXPECT_FALSE(screen(rules_with(nova(), "ComputeCapabilitiesFilter"), *asked.query).kept.has(2))
      << "its hypervisor is another, whatever its stats are";
}

TEST(NovaUnread, MattersOnlyToAQueryThatReadsIt) {
  const Asked asked(unread_hosts(), from_nova(query(R"([\"=\", \"$hypervisor_type\", \"QEMU\"])")));

  const Screened screened = screen(rules_with(nova(), "JsonFilter"), *asked.query);

  EXPECT_TRUE(screened.kept.has(0) && screened.kept.has(1) && !screened.kept.has(2));
  EXPECT_TRUE(screened.unjudged.empty());
}

TEST(NovaUnread, IsSaidInAWorkerToo) {
  const Loaded worker("nova", "{}", asking::settings(EMPLACE_BUILT_PLUGINS), "worker", 1000);
  const Asked asked(unread_hosts(), from_nova(asking::one_dedicated_cpu()));

  const Screened screened = screen(rules_with(worker, "NUMATopologyFilter"), *asked.query);

  EXPECT_TRUE(screened.kept.has(0));
  ASSERT_EQ(screened.unjudged.size(), 1u);
  EXPECT_EQ(screened.unjudged[0].hosts, 2u);
}

TEST(NovaUnread, HasNoWeight) {
  const Asked asked(
      picture_of({with_state("api", "{" + kUnread + "}"), with_state("a", R"({"failed_builds":2,"num_io_ops":5})"),
                  with_state("b", R"({"failed_builds":7,"num_io_ops":3})")}),
      from_nova(R"("flavor":null)"));
  for (const char* id : {"BuildFailureWeigher", "IoOpsWeigher", "PCIWeigher"}) {
    const Weights weights = nova().weigher(id).weigh(*asked.query, std::vector<std::uint32_t>{0, 1, 2}).value();

    ASSERT_EQ(weights.raw.size(), 3u) << id;
    EXPECT_TRUE(std::isnan(weights.raw[0])) << id;
    EXPECT_FALSE(std::isnan(weights.raw[1]) || std::isnan(weights.raw[2])) << id;
  }
}

TEST(NovaUnread, GivesWayToWhatSomebodyElseTold) {
  const Asked asked(picture_of({with_state(
                        "h", R"({"pci_stats":[{"vendor_id":"10de","product_id":"1","count":2}],)" + kUnread + "}")}),
                    from_nova(asking::one_card()));

  const Screened screened = screen(rules_with(nova(), "PciPassthroughFilter"), *asked.query);

  EXPECT_EQ(screened.kept.count(), 0u);
  EXPECT_TRUE(screened.unjudged.empty());
}

}  // namespace
}  // namespace emplace
