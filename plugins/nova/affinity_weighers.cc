// ServerGroupSoftAffinityWeigher and ServerGroupSoftAntiAffinityWeigher: how many members of the vm's group a host has,
// and minus that; nothing for a group of another policy.
#include <algorithm>

#include "groups.h"
#include "weighing.h"

namespace emplace::nova {
namespace {

struct Policy {
  std::string_view name;
  std::uint32_t code;  // as groups.policy has it
  double sign;
};

class GroupWeigher : public plugin::Weigher {
 public:
  GroupWeigher(const Shared& shared, Policy policy, std::string_view multiplier)
      : shared_(shared), policy_(policy), multiplier_{multiplier} {}

  void weigh(const plugin::Call& call, plugin::Weights& weights) const override {
    write_multipliers(call, shared_, multiplier_, weights);
    const auto candidates = call.candidates();
    const Counts counts = members(call);
    if (counts.empty()) return weights.set_all(0);
    std::fill_n(weights.values(), candidates.size(), 0.0);
    for (const auto& [host, count] : counts) {
      const auto at = std::ranges::lower_bound(candidates, host);
      if (at == candidates.end() || *at != host) continue;
      weights.set(static_cast<std::size_t>(at - candidates.begin()), policy_.sign * count);
    }
  }

 private:
  Counts members(const plugin::Call& call) const {
    const auto spec = shared_.specs->of(call);
    if (spec->from_nova) {
      const bool applies = spec->group && spec->group->policy == policy_.name;
      return applies ? spec_members(*spec->group, shared_.hosts->of(call).instances) : Counts();
    }
    const auto group = picture_group(call);
    return group && group->policy == policy_.code ? picture_members(call) : Counts();
  }

  const Shared shared_;
  const Policy policy_;
  const Multiplier multiplier_;
};

}  // namespace

void add_affinity_weighers(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("ServerGroupSoftAffinityWeigher",
             std::make_unique<GroupWeigher>(shared, Policy{"soft-affinity", kSoftAffinity, 1},
                                            "soft_affinity_weight_multiplier"));
  plugin.add("ServerGroupSoftAntiAffinityWeigher",
             std::make_unique<GroupWeigher>(shared, Policy{"soft-anti-affinity", kSoftAntiAffinity, -1},
                                            "soft_anti_affinity_weight_multiplier"));
}

}  // namespace emplace::nova
