#include "service/hypervisor/storage.h"

#include <gtest/gtest.h>

namespace emplace {
namespace {

constexpr double kGib = 1024.0 * 1024 * 1024;

PoolSeen dir(const std::string& name, double capacity_gib, double allocated_gib, const std::string& device = "") {
  return {name, "dir", "/var/" + name, capacity_gib * kGib, allocated_gib * kGib, device};
}

TEST(Storage, CountsAFilesystemOnceHoweverManyPoolsLieOnIt) {
  const Storage storage = sum_up({dir("img", 252, 26), dir("iso", 252, 26.1), dir("other", 100, 1)}, {});
  EXPECT_EQ(storage.capacity_bytes, 352 * kGib);
  EXPECT_DOUBLE_EQ(storage.files_bytes, 27.1 * kGib);
  ASSERT_EQ(storage.shared_filesystems.size(), 1u);
  EXPECT_NE(storage.shared_filesystems[0].find("img, iso"), std::string::npos) << storage.shared_filesystems[0];
}

TEST(Storage, TellsFilesystemsOfOneSizeApartByWhatIsKnownOfThem) {
  EXPECT_EQ(sum_up({dir("a", 100, 20, "7"), dir("b", 100, 20, "8")}, {}).capacity_bytes, 200 * kGib) << "their devices";
  EXPECT_EQ(sum_up({dir("a", 100, 20, "7"), dir("b", 100, 20, "7")}, {}).capacity_bytes, 100 * kGib);
  EXPECT_EQ(sum_up({dir("a", 100, 20), dir("b", 100, 60)}, {}).capacity_bytes, 200 * kGib) << "what is allocated";
  PoolSeen volumes = dir("vg", 100, 20);
  volumes.type = "logical";
  EXPECT_EQ(sum_up({dir("a", 100, 20), volumes}, {}).capacity_bytes, 200 * kGib) << "one has no files";
}

TEST(Storage, CountsDisksOfVmsAsTheirsAndNotAsFiles) {
  const std::vector<DiskSeen> disks{
      {"/var/img/a.qcow2", 5 * kGib}, {"/var/img/a.qcow2", 5 * kGib}, {"/srv/b", 9 * kGib}};
  EXPECT_EQ(sum_up({dir("img", 100, 8)}, disks).files_bytes, 3 * kGib);
  EXPECT_EQ(sum_up({dir("img", 100, 2)}, disks).files_bytes, 0) << "libvirt's word of a pool may be old";
}

}  // namespace
}  // namespace emplace
