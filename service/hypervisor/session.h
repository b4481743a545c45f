// HostSession: one open connection to a host and what was learnt when it was opened. Belongs to the thread that opened
// it.
#pragma once

#include <memory>
#include <string>

#include "service/core/base/result.h"
#include "service/core/change/change.h"
#include "service/hypervisor/host_config.h"
#include "service/hypervisor/libvirt.h"
#include "service/hypervisor/xml.h"

namespace emplace {

struct CpuTimes {
  double busy_ns = 0, idle_ns = 0;
};

struct HostSession {
  std::string host;  // its configured name, for messages
  Connection connection = {};
  bool test = false;            // libvirt's test driver: no guests, no NUMA, invented statistics
  bool local = false;           // of this machine: its files may be looked at
  std::string identity = {};    // what tells one libvirtd from others, though two may be alike; empty: it is its own
  std::string hypervisor = {};  // "QEMU 7.2.22, libvirt 9.0.0"
  CapabilitiesXml capabilities = {};
  std::optional<CpuTimes> cpu_before = {};  // of the last inventory
  double files_gib = 0;                     // of the last inventory: what its pools hold besides disks of vms

  virConnectPtr get() const { return connection.get(); }
};

// Blocks for as long as libvirt does; no deadline of its own.
Result<HostSession> open_session(const HostConfig& host, const HypervisorOptions& options);

// What the host has, with the configured zone, rack, ratios and reserved amounts. Memory by virNodeGetMemoryStats where
// the driver knows it (virNodeGetInfo's can be wrong). NUMA cells only when they sum up to the host's CPUs and, within
// 2 %, its memory. Disk: the configured amount, else what the active storage pools have (storage.h), of which what is
// allocated by others than `disks` is reserved.
struct Inventory {
  HostRow row;
  std::vector<std::string> shared_filesystems = {};
};
struct DiskSeen;
Result<Inventory> read_inventory(HostSession& session, const HostConfig& host, const std::vector<DiskSeen>& disks);

}  // namespace emplace
