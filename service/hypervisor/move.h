// Move: the live migration of one vm between two of our hosts, with connections and threads of its own, so that minutes
// of copying hold up no other act on either host.
//
// It counts as done only once the domain was seen running on the destination and no longer at the source; then it has
// its definition there, if it had one, and none here. libvirt's own return code is not believed in either direction:
// what is seen decides. When time is up the job is aborted, and the error says where the vm is.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "service/core/base/result.h"
#include "service/core/doors/hypervisors.h"
#include "service/hypervisor/host_config.h"

namespace emplace {

struct MoveOptions {
  bool direct = false;  // managed direct: we talk to both hosts; else peer-to-peer: the source talks to the destination
  bool copy_storage = false, unsafe = false, post_copy = false, auto_converge = false;
  std::optional<std::uint64_t> bandwidth_mib_s = {}, max_downtime_ms = {};
  std::chrono::seconds timeout = kMoveTimeout;
  std::string destination_uri = {};  // peer-to-peer: libvirt URI the source connects to; direct: where memory is sent
};

// kInvalid "options.NAME: ..." for unknown names and values that don't read.
Result<MoveOptions> read_move_options(const Parameters& options);

struct MoveJob {
  MoveOrder order;
  MoveOptions options;
  HostConfig from, to;
  HypervisorOptions hypervisor;
  std::function<void(const MoveProgress&)> progress;
  std::function<bool()> abandoned;  // nobody waits any more: leave without touching anything
};

// Blocks until the move is done, failed, or given up; a libvirt call that hangs may hold it beyond its time.
Result<void> move_domain(const MoveJob& job);

// The peer-to-peer URI of a destination: as ordered, configured, or its own where that is no local one.
Result<std::string> peer_uri(const MoveOptions& options, const HostConfig& to);

}  // namespace emplace
