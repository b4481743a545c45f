// NUMATopologyFilter: the instance's NUMA cells fit onto cells of the host, with its PCI devices and networks near.
#include "numa/numa_fit.h"
#include "numa/numa_refusal.h"
#include "rules.h"

namespace emplace::nova {
namespace {

enum Reason : std::uint8_t { kPasses, kNoTopology, kUnreadable, kNoThreads, kObstacle, kUnread };

bool wants(const Spec& spec, std::string_view extra_spec, std::string_view property, std::string_view wanted) {
  const std::string* of_image = spec.image_property(property);
  const auto says = [&](const auto& extra) { return extra.first == extra_spec && extra.second == wanted; };
  return (of_image && *of_image == wanted) || std::ranges::any_of(spec.extra_specs, says);
}

// Each may come from the flavor and the other one from the image.
bool wants_threads(const Spec& spec) {
  return wants(spec, "hw:cpu_policy", "hw_cpu_policy", "dedicated") &&
         wants(spec, "hw:cpu_thread_policy", "hw_cpu_thread_policy", "require");
}

// One request, on host after host.
class Screening {
 public:
  Screening(const plugin::Call& call, const Shared& shared, const Spec& spec)
      : spec_(spec),
        hosts_(shared.hosts->of(call)),
        cpu_ratio_(call.picture().column<double>("hosts", "cpu_allocation_ratio")),
        ram_ratio_(call.picture().column<double>("hosts", "ram_allocation_ratio")),
        wants_threads_(wants_threads(spec)),
        fitting_(spec.numa, spec.pci_requests, shared.settings->of(call)->packing_host_numa_cells_allocation_strategy) {
  }

  bool asks() const { return wants_threads_ || !spec_.numa.cells.empty(); }

  Reason judge(std::uint32_t row) {
    const auto& [cells, pools] = hosts_.columns.block_of(row).topology[row % kBlockRows];
    if (cells.empty() && is_unread(hosts_.hosts.find(row), "numa_topology")) return kUnread;
    if (wants_threads_ && !cells.empty() && !has_threads(cells)) return kNoThreads;
    if (spec_.numa.cells.empty()) return kPasses;
    if (cells.empty()) return topology(row) && !topology(row)->fault.empty() ? kUnreadable : kNoTopology;
    obstacle_ = fitting_.fit(cells, pools, limits(row));
    return obstacle_ == NumaObstacle::kNone ? kPasses : kObstacle;
  }

  plugin::Refusal refusal(std::uint32_t row) {
    switch (judge(row)) {
      case kUnread:
        return {"nova.numa.unread", wants_threads_ ? "cores with sibling threads" : "NUMA cells",
                "numa_topology was not read"};
      case kNoTopology:
        return {"nova.numa.topology", "a NUMA topology", "none"};
      case kUnreadable:
        return {"nova.numa.unreadable", "a NUMA topology", topology(row)->fault};
      case kNoThreads:
        return {"nova.numa.threads", "cores with sibling threads", "none"};
      case kObstacle:
        return numa_refusal(spec_.numa, *topology(row), limits(row), obstacle_);
      default:
        return {"nova.numa"};
    }
  }

 private:
  const NumaTopology* topology(std::uint32_t row) const {
    const HostState* host = hosts_.hosts.find(row);
    return host && host->numa ? &*host->numa : nullptr;
  }
  NumaLimits limits(std::uint32_t row) const {
    return {cpu_ratio_.get(row).value_or(1), ram_ratio_.get(row).value_or(1)};
  }

  const Spec& spec_;
  const Snapshot& hosts_;
  const plugin::Column<double> cpu_ratio_, ram_ratio_;
  const bool wants_threads_;
  NumaFitting fitting_;
  NumaObstacle obstacle_ = NumaObstacle::kNone;
};

class NumaTopologyFilter : public plugin::Filter {
 public:
  explicit NumaTopologyFilter(const Shared& shared) : shared_(shared) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const auto spec = shared_.specs->of(call);
    Screening screening(call, shared_, *spec);
    if (spec->rebuild || !screening.asks()) return;
    const auto candidates = call.candidates();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const Reason reason = screening.judge(candidates[i]);
      if (reason == kUnread) {
        verdicts.pass_unjudged(i, reason);
      } else if (reason != kPasses) {
        verdicts.refuse(i, reason);
      }
    }
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t) const override {
    const auto spec = shared_.specs->of(call);
    return Screening(call, shared_, *spec).refusal(host);
  }

 private:
  const Shared shared_;
};

}  // namespace

void add_numa_filter(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("NUMATopologyFilter", std::make_unique<NumaTopologyFilter>(shared));
}

}  // namespace emplace::nova
