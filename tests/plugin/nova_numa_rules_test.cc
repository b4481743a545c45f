// NUMATopologyFilter, PciPassthroughFilter and PCIWeigher through the shared object.
#include <gtest/gtest.h>

#include <map>

#include "tests/plugin/asking_nova.h"

namespace emplace {
namespace {

using asking::Asked;
using asking::from_nova;
using asking::nova;
using asking::with_state;
using testing_rows::picture_of;
using Names = std::vector<std::string>;

std::string topology(const std::string& pinned, const std::string& siblings) {
  return R"({"numa_topology":{"nova_object.data":{"cells":[{"nova_object.data":{"id":0,"cpuset":[0,1],"pcpuset":[0,1],)"
         R"("memory":1024,"pinned_cpus":)" +
         pinned + R"(,"siblings":)" + siblings + "}}]}}}";
}

std::shared_ptr<const Picture> hosts() {
  return picture_of({
      with_state("free", topology("[]", "[[0,1]]")),
      with_state("full", topology("[0]", "[[0,1]]")),
      with_state("single", topology("[]", "[[0],[1]]")),
      with_state("odd", R"({"numa_topology":{"cells":[{"id":0}]}})"),
      with_state("cards", R"({"pci_stats":[{"vendor_id":"8086","product_id":"1520","numa_node":0,"count":2}]})"),
      asking::host("plain"),
  });
}

struct Answer {
  Names kept;
  std::map<std::string, Refusal> refused;
};

Answer ask(const char* filter, VmRequest vm) {
  const Asked asked(hosts(), std::move(vm));
  const auto screened = asking::screen(nova().filter(filter), asked);
  if (!screened.done) return {{"failed: " + screened.done.error().message}, {}};
  Answer answer{screened.kept, {}};
  for (const std::uint32_t row : asked.hosts()) {
    if (screened.reasons[row] == 0) continue;
    answer.refused[std::string((*asked.picture)[hosts::name][row])] =
        nova().filter(filter).explain(*asked.query, row, screened.reasons[row]);
  }
  return answer;
}

const std::string kTwoCpus =
    R"("numa_topology":{"nova_object.data":{"cells":[{"nova_object.data":{"id":0,"cpuset":[],"pcpuset":[0,1],)"
    R"("memory":64,"cpu_policy":"dedicated"}}]}})";
const std::string kRebuild = R"(,"scheduler_hints":{"_nova_check_type":["rebuild"]})";

TEST(NumaTopologyFilter, KeepsHostsWithRoomAndSaysWhyNot) {
  const Answer answer = ask("NUMATopologyFilter", from_nova(kTwoCpus));
  EXPECT_EQ(answer.kept, (Names{"free", "single"}));
  EXPECT_EQ(answer.refused.at("full").code, "nova.numa.cpus");
  EXPECT_EQ(std::get<double>(answer.refused.at("full").wanted), 2);
  EXPECT_EQ(std::get<double>(answer.refused.at("full").found), 1);
  EXPECT_EQ(answer.refused.at("plain").code, "nova.numa.topology");
  EXPECT_EQ(answer.refused.at("odd").code, "nova.numa.unreadable");
  EXPECT_EQ(std::get<std::string>(answer.refused.at("odd").found),
            "numa_topology.cells[0].memory: wanted a whole number, found none");
}

TEST(NumaTopologyFilter, WantsSiblingsEvenWithoutCells) {
  const auto answer =
      ask("NUMATopologyFilter", from_nova(R"("flavor":{"nova_object.data":{"extra_specs":)"
                                          R"({"hw:cpu_policy":"dedicated"}}},"image":{"nova_object.data":)"
                                          R"({"properties":{"hw_cpu_thread_policy":"require"}}})"));
  EXPECT_EQ(answer.kept, (Names{"free", "full", "odd", "cards", "plain"}));
  EXPECT_EQ(answer.refused.at("single").code, "nova.numa.threads");
}

TEST(NumaTopologyFilter, DoesNotRunOnARebuildOrWithoutAWish) {
  EXPECT_EQ(ask("NUMATopologyFilter", from_nova(kTwoCpus + kRebuild)).kept.size(), 6u);
  EXPECT_EQ(ask("NUMATopologyFilter", from_nova(R"("numa_topology":null)")).kept.size(), 6u);
  EXPECT_EQ(ask("NUMATopologyFilter", asking::request()).kept.size(), 6u);
}

TEST(NumaTopologyFilter, NamesTheFieldOfARequestThatCannotBeRead) {
  EXPECT_NE(ask("NUMATopologyFilter", from_nova(R"("numa_topology":{"cells":[{"id":0,"memory":"x"}]})"))
                .kept.at(0)
                .find("request_spec.numa_topology.cells[0].memory: wanted a whole number"),
            std::string::npos);
}

TEST(PciPassthroughFilter, KeepsHostsWithDevicesAndSaysWhyNot) {
  const auto cards = [](int count) {
    return R"("pci_requests":{"nova_object.data":{"requests":[{"nova_object.data":{"count":)" + std::to_string(count) +
           R"(,"spec":[{"vendor_id":"8086","product_id":"1520"}]}}]}})";
  };
  EXPECT_EQ(ask("PciPassthroughFilter", from_nova(cards(2))).kept, Names{"cards"});
  EXPECT_EQ(ask("PciPassthroughFilter", from_nova(cards(3) + kRebuild)).kept.size(), 6u);
  const Answer answer = ask("PciPassthroughFilter", from_nova(cards(3)));
  EXPECT_EQ(answer.kept, Names{});
  EXPECT_EQ(answer.refused.at("cards").code, "nova.pci.pool");
  EXPECT_EQ(std::get<std::string>(answer.refused.at("cards").wanted), "3 of vendor_id=8086,product_id=1520");
  EXPECT_EQ(std::get<double>(answer.refused.at("cards").found), 2);
}

TEST(PciWeigher, PrefersHostsWithFewerDevices) {
  const Asked asked(hosts(), asking::request());
  const auto weights = nova().weigher("PCIWeigher").weigh(*asked.query, asked.hosts());
  ASSERT_TRUE(weights);
  EXPECT_EQ(weights->raw, (std::vector<double>{100, 100, 100, 100, 98, 100}));
}

}  // namespace
}  // namespace emplace
