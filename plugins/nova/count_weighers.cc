// Weighers of what Nova counts on a host: IoOpsWeigher, BuildFailureWeigher (whose multiplier Nova negates), and
// master's NumInstancesWeigher and HypervisorVersionWeigher.
#include <algorithm>

#include "amounts.h"
#include "weighing.h"

namespace emplace::nova {
namespace {

using Rows = std::span<const std::uint32_t>;

template <std::array<double, kBlockRows> HostBlock::*kColumn, std::optional<double> HostBlock::*kSame>
struct BlockCount {
  static constexpr bool kMayBeUnread = true;
  explicit BlockCount(const plugin::Call&) {}
  static void fill(Rows, const HostBlock& hosts, std::span<double> out) {
    std::copy_n((hosts.*kColumn).begin(), out.size(), out.begin());
  }
  static std::optional<double> same(const HostBlock& hosts) { return hosts.*kSame; }
};

class InstanceCount {
 public:
  explicit InstanceCount(const plugin::Call& call) : amounts_(call.picture()) {}
  void fill(Rows rows, const HostBlock& hosts, std::span<double> out) const { amounts_.instances(rows, hosts, out); }

 private:
  const Amounts amounts_;
};

}  // namespace

void add_count_weighers(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("IoOpsWeigher", std::make_unique<BlockWeigher<BlockCount<&HostBlock::io_ops, &HostBlock::same_io_ops>>>(
                                 shared, Multiplier{"io_ops_weight_multiplier"}, 0.0));
  plugin.add("BuildFailureWeigher",
             std::make_unique<BlockWeigher<BlockCount<&HostBlock::failed_builds, &HostBlock::same_failed_builds>>>(
                 shared, Multiplier{"build_failure_weight_multiplier", -1}));
  plugin.add(
      "HypervisorVersionWeigher",
      std::make_unique<BlockWeigher<BlockCount<&HostBlock::hypervisor_version, &HostBlock::same_hypervisor_version>>>(
          shared, Multiplier{"hypervisor_version_weight_multiplier"}));
  plugin.add("NumInstancesWeigher",
             std::make_unique<BlockWeigher<InstanceCount>>(shared, Multiplier{"num_instances_weight_multiplier"}));
}

}  // namespace emplace::nova
