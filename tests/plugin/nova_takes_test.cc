// What instances take of a host, and that what was taken is counted, through the shared object.
#include <gtest/gtest.h>

#include "tests/plugin/asking_nova.h"

namespace emplace {
namespace {

using asking::Asked;
using asking::from_nova;
using asking::Loaded;
using asking::nova;
using asking::with_state;
using testing_rows::numbered;
using testing_rows::picture_of;
using Names = std::vector<std::string>;

const std::string kCells =
    R"({"numa_topology":{"nova_object.data":{"cells":[{"nova_object.data":{"id":0,"cpuset":[],"pcpuset":[0,1,2],)"
    R"("memory":1024,"memory_usage":24,"pinned_cpus":[0],"siblings":[[0],[1],[2]],)"
    R"("mempages":[{"size_kb":4,"total":262144},{"size_kb":2048,"total":8,"used":1}]}}]}},)"
    R"("pci_stats":[{"vendor_id":"8086","product_id":"1520","numa_node":0,"count":2}]})";
const std::string kBoth = asking::one_dedicated_cpu(2048) + "," + asking::one_card();

Taking take(const Loaded& plugin, const Asked& asked) {
  return plugin.rules.consumers.at(0)->take(*asked.query, 0).value();
}

// What IoOpsWeigher counts on the first host.
double operations(const std::shared_ptr<const Picture>& picture) {
  const Asked asked(picture, from_nova(R"("flavor":null)"));
  return nova().weigher("IoOpsWeigher").weigh(*asked.query, std::vector<std::uint32_t>{0}).value().raw.at(0);
}

// As a claim of a vm that takes this.
VmRow claim(std::uint64_t number, std::string takes) {
  VmRow row = asking::vm(number, "h");
  row.state = VmState::kClaimed;
  row.claim = row.id;
  row.takes = std::move(takes);
  return row;
}

TEST(NovaConsumer, NamesWhatAnInstanceTakesAndHowMuchThereIs) {
  const Asked asked(picture_of({with_state("h", kCells)}), from_nova(kBoth));

  const Taking taking = take(nova(), asked);

  EXPECT_EQ(taking.takes, R"([["numa/0/memory_mib",4,1000.0],["numa/0/cpu/1",1,1.0],["numa/0/pages/2048",2,7.0],)"
                          R"(["pci/0/0,product_id=1520,vendor_id=8086",1,2.0]])");
  EXPECT_NE(taking.spec.find(R"("id":0)"), std::string::npos)
      << "the next instance asks for the cell that this one got";
}

TEST(NovaConsumer, TakesNothingForARequestWithoutSuchWishes) {
  const Asked asked(picture_of({with_state("h", kCells)}), from_nova(R"("flavor":null)"));

  EXPECT_EQ(take(nova(), asked).takes, "");
}

TEST(NovaConsumer, GivesEachInstanceOthersUntilNoneAreLeft) {
  auto picture = picture_of({with_state("h", kCells)});
  for (std::uint64_t number = 1; number <= 2; ++number) {
    const Asked asked(picture, from_nova(kBoth));
    EXPECT_EQ(asking::screen(nova().filter("NUMATopologyFilter"), asked).kept, Names{"h"});
    EXPECT_EQ(asking::screen(nova().filter("PciPassthroughFilter"), asked).kept, Names{"h"});
    picture = testing_rows::with_changes(picture, {claim(number, take(nova(), asked).takes)});
  }

  const Asked asked(picture, from_nova(kBoth));

  EXPECT_EQ(asking::screen(nova().filter("NUMATopologyFilter"), asked).kept, Names{});
  EXPECT_EQ(asking::screen(nova().filter("PciPassthroughFilter"), asked).kept, Names{});
  const auto given_back = testing_rows::with_changes(picture, {VmRemoved{numbered(1), numbered(1)}});
  EXPECT_EQ(asking::screen(nova().filter("NUMATopologyFilter"), Asked(given_back, from_nova(kBoth))).kept, Names{"h"});
}

// Cores of two threads, of which one has only one left: that is where Nova puts an isolated emulator thread, and then
// fails to count what it has chosen.
TEST(NovaConsumer, CountsWhatNovaHasCountedBeforeItFails) {
  const std::string cells =
      R"({"num_io_ops":3,"numa_topology":{"nova_object.data":{"cells":[{"nova_object.data":{"id":0,"cpuset":[0,1,2,3],)"
      R"("pcpuset":[0,1,2,3],"memory":1024,"pinned_cpus":[0],"siblings":[[0,1],[2,3]],)"
      R"("mempages":[{"size_kb":4,"total":262144}]}}]}},"pci_stats":[{"vendor_id":"8086","product_id":"1520","count":2}]})";
  const std::string isolated =
      R"("numa_topology":{"nova_object.data":{"emulator_threads_policy":"isolate","cells":[{"nova_object.data":{"id":0,)"
      R"("cpuset":[],"pcpuset":[0],"memory":4,"cpu_policy":"dedicated","cpu_thread_policy":"isolate"}}]}},)" +
      asking::one_card();
  const auto picture = picture_of({with_state("h", cells)});

  const Taking taking = take(nova(), Asked(picture, from_nova(isolated)));

  EXPECT_EQ(taking.takes, R"([["operations",0,9e+15]])");
  const auto after = testing_rows::with_changes(picture, {claim(1, taking.takes)});
  EXPECT_EQ(operations(after), 3);
  const auto counted = testing_rows::with_changes(picture, {claim(1, "")});
  EXPECT_EQ(operations(counted), 4);
}

TEST(NovaConsumer, SaysTheSameInAWorker) {
  const Loaded worker("nova", "{}", asking::settings(EMPLACE_BUILT_PLUGINS), "worker", 1000);
  const Asked asked(picture_of({with_state("h", kCells)}), from_nova(kBoth));

  EXPECT_EQ(take(worker, asked).takes, take(nova(), asked).takes);
  EXPECT_EQ(take(worker, asked).spec, take(nova(), asked).spec);
}

TEST(ServerGroupAffinityFilter, KeepsTheHostThatAMemberIsOnItsWayTo) {
  const auto picture = picture_of({asking::host("h"), asking::host("other"), claim(1, "")});
  const std::string group = R"("instance_uuid":")" + to_string(numbered(2)) +
                            R"(","instance_group":{"nova_object.data":{"policy":"affinity","hosts":[],"members":[")" +
                            to_string(numbered(1)) + R"(",")" + to_string(numbered(2)) + R"("]}})";

  const Asked asked(picture, from_nova(group));

  EXPECT_EQ(asking::screen(nova().filter("ServerGroupAffinityFilter"), asked).kept, Names{"h"});
}

}  // namespace
}  // namespace emplace
