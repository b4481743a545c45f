// IoOpsFilter and NumInstancesFilter: the host counts fewer than the configured limit; and their Aggregate
// counterparts, for which the least limit that the host's aggregates name takes its place.
#include <cmath>
#include <limits>

#include "aggregates/aggregates.h"
#include "rules.h"

namespace emplace::nova {
namespace {

struct Counted {
  double Options::*limit;
  std::string_view key;  // of aggregates' metadata
  const char* code;
  const char* unit;
  bool instances;  // else operations
};

constexpr Counted kIoOps{&Options::max_io_ops_per_host, "max_io_ops_per_host", "nova.io_ops", "operations", false};
constexpr Counted kInstances{&Options::max_instances_per_host, "max_instances_per_host", "nova.instances", "vms", true};

class Counts {
 public:
  Counts(const plugin::Call& call, bool instances)
      : vms_(call.picture().column<double>("hosts", "vm_count")), instances_(instances) {}
  // NaN: not known, which no limit lets pass.
  double of(const HostBlock& block, std::uint32_t host) const {
    if (!instances_) return block.io_ops[host % kBlockRows];
    const double told = block.instances[host % kBlockRows];
    return std::isnan(told) ? vms_.get(host).value_or(std::numeric_limits<double>::quiet_NaN()) : told;
  }

 private:
  const plugin::Column<double> vms_;
  const bool instances_;
};

// What each host may have.
class Limits {
 public:
  Limits(const Snapshot& snapshot, const Counted& counted, bool by_aggregate, double configured)
      : snapshot_(snapshot), counted_(counted), by_aggregate_(by_aggregate), configured_(configured) {
    if (by_aggregate) known_.resize(snapshot.memberships.combinations().size(), kUnknown);
  }
  // members: of the host's block.
  double of(const Memberships::Block* members, std::uint32_t host) {
    if (!by_aggregate_) return configured_;
    const std::uint32_t position = members ? members->positions[host % kBlockRows] : 0;
    double& known = known_[position];
    if (std::isnan(known)) {
      const Aggregates aggregates(snapshot_, snapshot_.memberships.combinations()[position]);
      known = least_whole(aggregates, counted_.key, configured_);
    }
    return known;
  }

 private:
  static constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  const Snapshot& snapshot_;
  const Counted& counted_;
  const bool by_aggregate_;
  const double configured_;
  std::vector<double> known_;  // by combination
};

class CountFilter : public plugin::Filter {
 public:
  CountFilter(const Shared& shared, const Counted& counted, bool by_aggregate)
      : shared_(shared), counted_(counted), by_aggregate_(by_aggregate) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    if (shared_.specs->of(call)->rebuild) return;
    const Snapshot& snapshot = shared_.hosts->of(call);
    const Counts counts(call, counted_.instances);
    Limits limits = limits_of(call, snapshot);
    for_each_block(call.candidates(), [&](std::uint32_t first, auto hosts, std::size_t at) {
      const HostBlock& block = snapshot.columns.block_of(first);
      const Memberships::Block* members = snapshot.memberships.find(first);
      for (std::size_t i = 0; i < hosts.size(); ++i) {
        const double found = counts.of(block, hosts[i]);
        if (std::isnan(found) && !counted_.instances) {
          verdicts.pass_unjudged(at + i, 2);
        } else if (!(found < limits.of(members, hosts[i]))) {
          verdicts.refuse(at + i, 1);
        }
      }
    });
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t) const override {
    const Snapshot& snapshot = shared_.hosts->of(call);
    const double wanted = limits_of(call, snapshot).of(snapshot.memberships.find(host), host);
    const double found = Counts(call, counted_.instances).of(snapshot.columns.block_of(host), host);
    if (std::isnan(found))
      return {counted_.code, wanted, counted_.instances ? "not known" : "num_io_ops was not read", counted_.unit};
    return {counted_.code, wanted, found, counted_.unit};
  }

 private:
  Limits limits_of(const plugin::Call& call, const Snapshot& snapshot) const {
    return {snapshot, counted_, by_aggregate_, *shared_.settings->of(call).*counted_.limit};
  }

  const Shared shared_;
  const Counted& counted_;
  const bool by_aggregate_;
};

}  // namespace

void add_count_filters(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("IoOpsFilter", std::make_unique<CountFilter>(shared, kIoOps, false));
  plugin.add("AggregateIoOpsFilter", std::make_unique<CountFilter>(shared, kIoOps, true));
  plugin.add("NumInstancesFilter", std::make_unique<CountFilter>(shared, kInstances, false));
  plugin.add("AggregateNumInstancesFilter", std::make_unique<CountFilter>(shared, kInstances, true));
}

}  // namespace emplace::nova
