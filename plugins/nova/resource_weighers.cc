// RAMWeigher, CPUWeigher, DiskWeigher: what is free, higher wins, 0 as the lower bound when Nova normalises.
#include "amounts.h"
#include "weighing.h"

namespace emplace::nova {
namespace {

using Rows = Amounts::Candidates;

class FreeMemory {
 public:
  explicit FreeMemory(const plugin::Call& call) : amounts_(call.picture()) {}
  void fill(Rows rows, const HostBlock&, std::span<double> out) const { amounts_.free_ram_mb(rows, out); }

 private:
  const Amounts amounts_;
};

class FreeVcpus {
 public:
  explicit FreeVcpus(const plugin::Call& call) : amounts_(call.picture()) {}
  void fill(Rows rows, const HostBlock&, std::span<double> out) const { amounts_.free_vcpus(rows, out); }

 private:
  const Amounts amounts_;
};

class FreeDisk {
 public:
  explicit FreeDisk(const plugin::Call& call) : amounts_(call.picture()) {}
  void fill(Rows rows, const HostBlock& hosts, std::span<double> out) const { amounts_.free_disk_mb(rows, hosts, out); }

 private:
  const Amounts amounts_;
};

}  // namespace

void add_resource_weighers(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("RAMWeigher",
             std::make_unique<BlockWeigher<FreeMemory>>(shared, Multiplier{"ram_weight_multiplier"}, 0.0));
  plugin.add("CPUWeigher", std::make_unique<BlockWeigher<FreeVcpus>>(shared, Multiplier{"cpu_weight_multiplier"}, 0.0));
  plugin.add("DiskWeigher",
             std::make_unique<BlockWeigher<FreeDisk>>(shared, Multiplier{"disk_weight_multiplier"}, 0.0));
}

}  // namespace emplace::nova
