// Hypervisors: the door to those who start, stop and move vms (service/hypervisor, service/openstack).
//
// Threads: any.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/base/uuid.h"
#include "service/core/change/change.h"
#include "service/core/doors/claims.h"
#include "service/core/doors/sightings.h"

namespace emplace {

using Parameters = std::map<std::string, std::string>;

struct MoveOrder {
  Uuid vm;
  std::string vm_name;
  std::string from, to;
  Parameters options = {};  // "mode": p2p|direct, "post_copy", "auto_converge", "bandwidth_mib_s", "max_downtime_ms",
                            // "timeout_s", "copy_storage", "unsafe", "destination_uri": strings as in the request
};
inline constexpr std::chrono::seconds kMoveTimeout{600};  // when the options name no timeout_s

struct MoveProgress {
  double fraction = 0;  // 0..1 of the bytes
  double total_mib = 0, remaining_mib = 0, dirty_mib_per_s = 0;
  double downtime_ms = 0;
  std::optional<VmState> left_in = {};  // how the vm was seen on its source after a move that failed
};
using Done = std::function<void(Result<void>)>;

class Hypervisors {
 public:
  virtual ~Hypervisors() = default;
  virtual bool drives(const std::string& host) const = 0;  // a configured libvirt host?
  // Whether an order can be carried out, as far as that is known without asking a host: kInvalid naming field, wanted
  // and found.
  virtual Result<void> check(const StartOrder&) const { return {}; }
  virtual Result<void> check(const MoveOrder&) const { return {}; }
  // These return at once; the work is done on the host's own thread and `done` is called there exactly once, also when
  // the host does not answer (with our deadline). Acts are idempotent: starting what runs with the same claim succeeds.
  virtual void start(StartOrder order, Done done) = 0;
  // Power off and undefine; absent is done. `claim` given: only a domain that was started for it.
  virtual void destroy(const std::string& host, const Uuid& vm, std::optional<Uuid> claim, Done done) = 0;
  virtual void shut_down(const std::string& host, const Uuid& vm, Done done) = 0;  // asks the guest
  virtual void move(MoveOrder order, std::function<void(const MoveProgress&)> progress, Done done) = 0;
  // Asks the hypervisor now.
  virtual Result<std::vector<DomainSeen>> domains(const std::string& host, Deadline deadline) = 0;
};

}  // namespace emplace
