// An objective over twelve columns of the hosts: what worker_bench.cc calls in both isolations.
#include <array>

#include "emplace/plugin.hpp"

namespace {

namespace p = emplace::plugin;

constexpr std::array kColumns{
    "vcpus",          "memory_mib",          "disk_gib",          "vcpus_used", "memory_used_mib", "disk_used_gib",
    "vcpus_capacity", "memory_capacity_mib", "disk_capacity_gib", "vcpus_free", "memory_free_mib", "disk_free_gib"};

class Sum : public p::Objective {
 public:
  void evaluate(const p::Call& call, p::Costs& costs) const override {
    const auto hosts = call.candidates();
    std::vector<double> sums(hosts.size());
    for (const char* name : kColumns) {
      const auto column = call.picture().column<double>("hosts", name);
      for (std::size_t i = 0; i < hosts.size(); ++i) sums[i] += column[hosts[i]];
    }
    for (std::size_t i = 0; i < hosts.size(); ++i) costs.set(i, sums[i]);
  }
};

void make(const p::Configuration&, p::Plugin& plugin) { plugin.add("twelve.sum", std::make_unique<Sum>()); }

}  // namespace

EMPLACE_PLUGIN("twelve", "1.0.0", make)
