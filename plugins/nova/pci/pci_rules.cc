// PciPassthroughFilter: the host has the PCI devices that the instance asks for, wherever they lie. PCIWeigher: hosts
// with fewer free devices first, so that those with many are kept for who needs them.
#include <algorithm>

#include "pci/pci_pools.h"
#include "weighing.h"

namespace emplace::nova {
namespace {

enum Reason : std::uint8_t { kPasses, kNoPools, kUnreadable, kTooFew, kUnread };

const PciPools* pools_of(const HostState* host) { return host && host->pci ? &*host->pci : nullptr; }

// Leaves in `taking` what was missing.
Reason judge(const HostState* host, const Spec& spec, PciTaking& taking) {
  if (spec.pci_requests.empty()) return kPasses;
  const PciPools* pools = pools_of(host);
  if (!pools) return is_unread(host, "pci_stats") ? kUnread : kNoPools;
  if (!pools->fault.empty()) return kUnreadable;
  return taking.supports(*pools, spec.pci_requests, {}) ? kPasses : kTooFew;
}

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
      const Reason reason = judge(hosts.find(candidates[i]), *spec, taking);
      if (reason == kUnread) verdicts.pass_unjudged(i, reason);
      if (reason != kPasses && reason != kUnread) verdicts.refuse(i, reason);
    }
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t) const override {
    const auto spec = shared_.specs->of(call);
    const HostState* state = shared_.hosts->of(call).hosts.find(host);
    PciTaking taking;
    switch (judge(state, *spec, taking)) {
      case kUnread:
        return {"nova.pci.unread", describe(spec->pci_requests.front()), "pci_stats was not read"};
      case kNoPools:
        return {"nova.pci.pool", describe(spec->pci_requests.front()), "no PCI devices known"};
      case kUnreadable:
        return {"nova.pci.unreadable", "pools of PCI devices", pools_of(state)->fault};
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

struct PciWeight {
  static constexpr bool kMayBeUnread = true;
  explicit PciWeight(const plugin::Call&) {}
  static void fill(std::span<const std::uint32_t>, const HostBlock& hosts, std::span<double> out) {
    std::copy_n(hosts.pci_weight.begin(), out.size(), out.begin());
  }
  static std::optional<double> same(const HostBlock& hosts) { return hosts.same_pci_weight; }
};

}  // namespace

void add_pci_rules(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("PciPassthroughFilter", std::make_unique<PciPassthroughFilter>(shared));
  plugin.add("PCIWeigher", std::make_unique<BlockWeigher<PciWeight>>(shared, Multiplier{"pci_weight_multiplier"}));
}

}  // namespace emplace::nova
