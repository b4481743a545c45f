// Sightings: the door for what hypervisors report (from service/observe to service/store).
//
// Threads: any. Every call waits at most until its deadline.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/base/uuid.h"
#include "service/core/change/change.h"

namespace emplace {

// What a hypervisor says about one domain.
struct DomainSeen {
  Uuid id;
  std::string name;
  VmState state = VmState::kRunning;
  double vcpus = 0, memory_mib = 0;          // as it runs; of one that is off, as it would start
  std::optional<Uuid> claim = {};            // from our metadata
  bool nova = false;                         // carries Nova's metadata: never touched
  double vcpus_max = 0, memory_max_mib = 0;  // what it may grow to, also after a restart; 0: not known
  std::optional<double> disk_gib = {};       // of its disks together, as the guest sees them
};

// What is on a host now, as far as it differs from a picture, which may lag: the store compares it again, under lock,
// with what it has. Nobody's order is overwritten by it.
struct VmReport {
  std::string host;
  std::vector<DomainSeen> seen = {};
  std::set<Uuid> arrived = {};          // of those: no longer where the store has them
  std::vector<DomainSeen> copies = {};  // they run elsewhere too, and count here as vms of source "duplicate" (copy_id)
  std::vector<Uuid> gone = {};
};

class Sightings {
 public:
  virtual ~Sightings() = default;
  // What a host has; the operator's word about its state stays, one that was down is enabled. The event_seq is
  // returned.
  virtual Result<std::int64_t> host_seen(HostRow host, Deadline deadline) = 0;
  virtual Result<std::int64_t> host_lost(const std::string& host, Deadline deadline) = 0;  // enabled → down
  // A vm that moves stays as it is until its move has ended. A vm that others made (source found, nova, duplicate) is
  // removed when it is gone, one of ours is stopped.
  virtual Result<std::int64_t> vms_seen(VmReport report, Deadline deadline) = 0;
};

}  // namespace emplace
