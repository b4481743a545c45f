// PciPassthroughFilter: the host has the PCI devices that the instance asks for, wherever they lie. PCIWeigher: hosts
// with fewer free devices first, so that those with many are kept for who needs them.
#include <algorithm>
#include <limits>

#include "pci_pools.h"
#include "rules.h"

namespace emplace::nova {
namespace {

enum Reason : std::uint8_t { kPasses, kNoPools, kUnreadable, kTooFew };

// Leaves in `taking` what was missing.
Reason judge(const PciPools* pools, const Spec& spec, PciTaking& taking) {
  if (!pools) return kNoPools;
  if (!pools->fault.empty()) return kUnreadable;
  return taking.supports(*pools, spec.pci_requests, {}) ? kPasses : kTooFew;
}

const PciPools* pools_of(const HostState* host) { return host && host->pci ? &*host->pci : nullptr; }

class PciPassthroughFilter : public plugin::Filter {
 public:
  explicit PciPassthroughFilter(const Shared& shared) : shared_(shared) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const auto spec = shared_.specs->of(call);
    if (spec->rebuild || spec->pci_requests.empty()) return;
    const auto& hosts = shared_.hosts->of(call).hosts;
    const auto candidates = call.candidates();
    PciTaking taking;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const Reason reason = judge(pools_of(hosts.find(candidates[i])), *spec, taking);
      if (reason != kPasses) verdicts.refuse(i, reason);
    }
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t) const override {
    const auto spec = shared_.specs->of(call);
    const PciPools* pools = pools_of(shared_.hosts->of(call).hosts.find(host));
    PciTaking taking;
    switch (judge(pools, *spec, taking)) {
      case kNoPools:
        return {"nova.pci.pool", describe(spec->pci_requests.front()), "no PCI devices known"};
      case kUnreadable:
        return {"nova.pci.unreadable", "pools of PCI devices", pools->fault};
      case kTooFew:
        return {"nova.pci.pool", describe(spec->pci_requests[taking.failed()]), static_cast<double>(taking.found()),
                "devices"};
      default:
        return {"nova.pci.pool"};
    }
  }

 private:
  const Shared shared_;
};

class PciWeigher : public plugin::Weigher {
 public:
  explicit PciWeigher(const Shared& shared) : shared_(shared) {}

  void weigh(const plugin::Call& call, plugin::Weights& weights) const override {
    const Snapshot& snapshot = shared_.hosts->of(call);
    const auto* multipliers = snapshot.multipliers.find("pci_weight_multiplier");
    for_each_block(call.candidates(), [&](std::uint32_t first, std::span<const std::uint32_t> rows, std::size_t at) {
      const HostBlock& hosts = snapshot.columns.block_of(first);
      for (std::size_t i = 0; i < rows.size(); ++i) weights.values()[at + i] = hosts.pci_weight[rows[i] - first];
      const auto* own = multipliers ? multipliers->find(first) : nullptr;
      for (std::size_t i = 0; own && i < rows.size(); ++i) {
        weights.multipliers()[at + i] = own->values[rows[i] - first];
      }
    });
  }

 private:
  const Shared shared_;
};

}  // namespace

void add_pci_rules(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("PciPassthroughFilter", std::make_unique<PciPassthroughFilter>(shared));
  plugin.add("PCIWeigher", std::make_unique<PciWeigher>(shared));
}

}  // namespace emplace::nova
