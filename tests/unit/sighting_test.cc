#include "service/core/act/sighting.h"

#include <gtest/gtest.h>

namespace emplace {
namespace {

using Texts = std::vector<std::string>;

VmRow stored(const std::string& source) {
  VmRow row;
  row.name = "v";
  row.state = VmState::kRunning;
  row.source = source;
  row.vcpus = 2;
  row.memory_mib = 512;
  row.disk_gib = 20;
  return row;
}

DomainSeen seen() {
  DomainSeen seen;
  seen.name = "v";
  seen.vcpus = 2;
  seen.memory_mib = 512;
  seen.disk_gib = 20;
  return seen;
}

TEST(Sighting, AgreesWithARowThatIsAsSeen) { EXPECT_EQ(differences(stored("found"), seen()), Texts()); }

TEST(Sighting, NamesWhatDiffers) {
  DomainSeen other = seen();
  other.state = VmState::kStopped;
  other.name = "w";
  other.vcpus = 4;
  other.memory_mib = 8192;
  other.vcpus_max = 16;
  EXPECT_EQ(differences(stored("libvirt"), other),
            (Texts{"state: stored running, seen stopped", "name: stored v, seen w", "vcpus: stored 2, seen 4",
                   "memory_mib: stored 512, seen 8192"}));
  EXPECT_EQ(differences(stored("openstack"), other), Texts{"state: stored running, seen stopped"})
      << "Nova says how big its vms are";
}

TEST(Sighting, LearnsWhatAVmMayGrowToFromAReport) {
  DomainSeen other = seen();
  other.vcpus_max = 16;
  VmRow row = stored("libvirt");
  EXPECT_EQ(differences(row, other), Texts()) << "not known yet";
  EXPECT_FALSE(is_as_seen(row, other));
  row.vcpus_max = 8;
  EXPECT_EQ(differences(row, other), Texts{"vcpus_max: stored 8, seen 16"});
  row.vcpus_max = 16;
  EXPECT_TRUE(is_as_seen(row, other));
}

TEST(Sighting, LeavesAVmOfOursTheDiskItWasPromised) {
  DomainSeen other = seen();
  other.disk_gib = 5;
  EXPECT_EQ(as_seen(stored("libvirt"), other).disk_gib, 20);
  EXPECT_EQ(as_seen(stored("found"), other).disk_gib, 5);
  other.disk_gib = 30;
  EXPECT_EQ(as_seen(stored("libvirt"), other).disk_gib, 30);
  other.disk_gib = {};
  EXPECT_EQ(as_seen(stored("found"), other).disk_gib, 20) << "not known";
}

TEST(CopyId, IsTheSameForTheSameVmAndHostAlone) {
  const Uuid vm = *parse_uuid("5b0c9f1e-6a34-4b7e-9b8e-000000000001");
  EXPECT_EQ(copy_id(vm, "a"), copy_id(vm, "a"));
  EXPECT_NE(copy_id(vm, "a"), copy_id(vm, "b"));
  EXPECT_NE(copy_id(vm, "a"), vm);
}

}  // namespace
}  // namespace emplace
