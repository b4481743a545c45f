#include "service/hypervisor/storage.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace emplace {
namespace {

constexpr double kSameWithin = 0.01;

bool has_files(const PoolSeen& pool) { return pool.type == "dir" || pool.type == "fs" || pool.type == "netfs"; }

bool is_one_filesystem(const PoolSeen& a, const PoolSeen& b) {
  if (!has_files(a) || !has_files(b)) return false;
  if (!a.device.empty() && !b.device.empty()) return a.device == b.device;
  return a.capacity_bytes == b.capacity_bytes &&
         std::abs(a.allocated_bytes - b.allocated_bytes) <= kSameWithin * a.capacity_bytes;
}

bool lies_in(const DiskSeen& disk, const PoolSeen& pool) {
  return !pool.path.empty() && disk.path.rfind(pool.path + "/", 0) == 0;
}

double allocated_by(const std::vector<DiskSeen>& disks, const std::vector<PoolSeen>& pools) {
  std::map<std::string, double> once;  // several vms may have one disk
  for (const DiskSeen& disk : disks) {
    const bool is_there =
        std::any_of(pools.begin(), pools.end(), [&](const auto& pool) { return lies_in(disk, pool); });
    if (is_there) once[disk.path] = disk.allocated_bytes;
  }
  double bytes = 0;
  for (const auto& [path, allocated] : once) bytes += allocated;
  return bytes;
}

std::string sentence_of(const std::vector<PoolSeen>& pools) {
  std::string names;
  for (const PoolSeen& pool : pools) names += (names.empty() ? "" : ", ") + pool.name;
  return fmt::format("the storage pools {} lie on one file system, which is counted once", names);
}

// Libvirt's word of a directory is as old as its last refresh; where the directory can be seen from here, and is the
// same by its size, the file system is asked.
void look_at(PoolSeen& pool) {
  struct stat file {};
  struct statvfs system {};
  if (!has_files(pool) || pool.path.empty() || stat(pool.path.c_str(), &file) != 0) return;
  if (statvfs(pool.path.c_str(), &system) != 0) return;
  const double block = static_cast<double>(system.f_frsize);
  if (static_cast<double>(system.f_blocks) * block != pool.capacity_bytes) return;
  pool.device = fmt::format("{}", file.st_dev);
  pool.allocated_bytes = static_cast<double>(system.f_blocks - system.f_bfree) * block;
}

}  // namespace

Storage sum_up(const std::vector<PoolSeen>& pools, const std::vector<DiskSeen>& disks) {
  std::vector<std::vector<PoolSeen>> systems;
  for (const PoolSeen& pool : pools) {
    const auto found = std::find_if(systems.begin(), systems.end(),
                                    [&](const auto& system) { return is_one_filesystem(system.front(), pool); });
    found == systems.end() ? systems.push_back({pool}) : found->push_back(pool);
  }
  Storage storage;
  for (const auto& system : systems) {
    double allocated = 0;
    for (const PoolSeen& pool : system) allocated = std::max(allocated, pool.allocated_bytes);
    storage.capacity_bytes += system.front().capacity_bytes;
    storage.files_bytes += std::max(0.0, allocated - allocated_by(disks, system));
    if (system.size() > 1) storage.shared_filesystems.push_back(sentence_of(system));
  }
  return storage;
}

Result<std::vector<PoolSeen>> read_pools(const HostSession& session) {
  virStoragePoolPtr* array = nullptr;
  const int count = virConnectListAllStoragePools(session.get(), &array, VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE);
  if (count < 0 && libvirt_code() == VIR_ERR_NO_SUPPORT) return std::vector<PoolSeen>();
  if (count < 0) return libvirt_fail("storage pools of host " + session.host);
  std::vector<PoolSeen> pools;
  for (const Pool& pool : take_handles<Pool>(array, count)) {
    virStoragePoolInfo info{};
    if (virStoragePoolGetInfo(pool.get(), &info) != 0) continue;
    PoolSeen seen{.name = virStoragePoolGetName(pool.get()),
                  .type = {},
                  .path = {},
                  .capacity_bytes = static_cast<double>(info.capacity),
                  .allocated_bytes = static_cast<double>(info.allocation)};
    // The test driver's pools are made up, each with the same numbers.
    const LibvirtText text(session.test ? nullptr : virStoragePoolGetXMLDesc(pool.get(), 0));
    if (const auto xml = read_pool_xml(text == nullptr ? "<pool/>" : text.get())) {
      seen.type = xml->type;
      seen.path = xml->path;
    }
    if (session.local) look_at(seen);
    pools.push_back(std::move(seen));
  }
  std::sort(pools.begin(), pools.end(), [](const PoolSeen& a, const PoolSeen& b) { return a.name < b.name; });
  return pools;
}

std::optional<double> read_disks(virDomainPtr domain, const std::vector<DiskXml>& of_xml,
                                 std::vector<DiskSeen>& disks) {
  double bytes = 0;
  bool known = of_xml.empty();
  for (const DiskXml& disk : of_xml) {
    virDomainBlockInfo info{};
    if (virDomainGetBlockInfo(domain, disk.target.c_str(), &info, 0) != 0) continue;
    known = true;
    bytes += static_cast<double>(info.capacity);
    disks.push_back({disk.path, static_cast<double>(info.allocation)});
  }
  if (!known) return std::nullopt;
  return std::ceil(bytes / kBytesPerGib);
}

}  // namespace emplace
