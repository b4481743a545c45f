// Fleet: the hosts of a trace with what is free on them, kept by the simulator itself, apart from the service and from
// its code. It serves two ends: the simple policies that a service is compared with, and the check of what the service
// did: each placement is put onto a fleet of its own, and what breaks a rule there is a violation.
//
// Rules: capacity per host and, for vms that ask for NUMA nodes, per cell in equal parts; affinity and anti-affinity of
// server groups; vms of one spread group in different domains share no rack; zone.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/simulate/trace.h"

namespace emplace::cli {

struct Placed {
  std::size_t vm = 0;    // index into Trace::vms
  std::size_t host = 0;  // index into Trace::hosts
  std::vector<int> cells = {};
};

// What is free of which a vm of the trace's average shape can make no use, because the other resource is used up.
struct Stranded {
  double vcpus_share = 0, memory_share = 0;  // of the capacity, 0..1
};

class Fleet {
 public:
  explicit Fleet(const Trace& trace);

  // The first cells that hold it, in the order of their numbers; nothing when the host does not fit.
  std::optional<Placed> fits(std::size_t vm, std::size_t host) const;
  // Why this placement breaks a rule; nothing when it doesn't.
  std::optional<std::string> broken_by(const Placed& placed) const;
  void put(const Placed& placed);  // whether it fits or not
  void remove(const Placed& placed);

  double free_vcpus(std::size_t host) const { return hosts_[host].free_vcpus; }
  std::size_t hosts_used() const { return hosts_used_; }
  double vcpus_used() const { return vcpus_used_; }
  Stranded stranded() const;

 private:
  struct Host {
    double free_vcpus, free_memory_mib, free_disk_gib;
    std::vector<Cell> cells;
    int vms = 0;
  };
  struct Group {
    std::map<std::size_t, int> hosts;                         // members by host
    std::map<std::string, std::map<std::string, int>> racks;  // spread: rack → domain → members
  };
  void add(const Placed& placed, double sign);
  std::optional<std::string> group_broken(const TraceVm& vm, std::size_t host) const;

  const Trace& trace_;
  std::vector<Host> hosts_;
  std::map<std::string, Group> groups_, spreads_;
  std::size_t hosts_used_ = 0;
  double vcpus_used_ = 0;
  double mib_per_vcpu_ = 0;  // of the trace's vms together
};

enum class Policy { kFirstFit, kBestFit };
// First fit takes the first host, in the order of the file, that breaks no rule; best fit the one with the fewest free
// vCPUs.
std::optional<Placed> choose(const Trace& trace, const Fleet& fleet, Policy policy, std::size_t vm);

}  // namespace emplace::cli
