// Storage: what a host's pools have together, each file system counted once, and what lies on them that is no vm's
// disk. Pools of directories are often on one file system; libvirt tells the file system's size for each of them.
#pragma once

#include <string>
#include <vector>

#include "service/hypervisor/session.h"

namespace emplace {

inline constexpr double kBytesPerGib = 1024.0 * 1024 * 1024;

struct PoolSeen {
  std::string name, type, path;  // type: "dir", "fs", "logical", ...; path: where its volumes are, if they are files
  double capacity_bytes = 0, allocated_bytes = 0;
  std::string device = {};  // of the file system of `path`, where it can be looked at from here
};
struct DiskSeen {
  std::string path;
  double allocated_bytes = 0;
};
struct Storage {
  double capacity_bytes = 0;
  double files_bytes = 0;                         // allocated, and not by the disks
  std::vector<std::string> shared_filesystems{};  // "pools img, iso lie on one file system"
};

// Pools of files lie on one file system when its device is the same, or, where that is not known of both, when they say
// the same capacity and, within a hundredth of it, the same allocation.
Storage sum_up(const std::vector<PoolSeen>& pools, const std::vector<DiskSeen>& disks);

Result<std::vector<PoolSeen>> read_pools(const HostSession& session);

// The capacity of a domain's disks together, in whole GiB; nothing when that of none of them can be read. `disks` gets
// each that could.
std::optional<double> read_disks(virDomainPtr domain, const std::vector<DiskXml>& of_xml, std::vector<DiskSeen>& disks);

}  // namespace emplace
