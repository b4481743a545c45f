// RAMWeigher, CPUWeigher, DiskWeigher: what is free, higher wins, 0 as the lower bound when Nova normalises. The
// multiplier of a host is the least that its aggregates' metadata name, else the profile's.
#include <algorithm>
#include <cmath>
#include <limits>

#include "amounts.h"
#include "extra_specs_ops.h"
#include "rules.h"

namespace emplace::nova {
namespace {

// Multipliers that aggregates set for one weigher.
class Multipliers {
 public:
  Multipliers(const plugin::View& picture, const Rows<Metadata>& aggregates, std::string_view key)
      : memberships_(picture.column<std::span<const std::uint32_t>>("hosts", "aggregates")) {
    for (std::uint32_t row = 0; row < aggregates.end(); ++row) add(row, aggregates.find(row), key);
  }
  bool any() const { return any_; }
  // Nothing: the profile's. A text that is no number makes Nova fall back to its configuration, whatever the others
  // say.
  std::optional<double> of(std::uint32_t host) const {
    std::optional<double> least;
    for (const std::uint32_t row : memberships_.get(host).value_or(std::span<const std::uint32_t>())) {
      if (row >= found_.size() || !found_[row]) continue;
      if (!std::isfinite(*found_[row])) return std::nullopt;
      least = std::min(least.value_or(*found_[row]), *found_[row]);
    }
    return least;
  }

 private:
  void add(std::uint32_t row, const Metadata* metadata, std::string_view key) {
    const auto& value = found_.emplace_back();
    if (!metadata) return;
    for (const auto& [name, text] : *metadata) {
      if (name == key) found_[row] = python_float(text).value_or(std::nan(""));
    }
    any_ = any_ || value.has_value();
  }

  plugin::Column<std::span<const std::uint32_t>> memberships_;
  std::vector<std::optional<double>> found_;  // by row of aggregates; not finite: no number
  bool any_ = false;
};

// A host with numbers that overflow must not take the weigher from all others: the service refuses what is not finite.
double finite(double value) {
  constexpr double kMost = std::numeric_limits<double>::max();
  return std::isnan(value) ? 0 : std::clamp(value, -kMost, kMost);
}

using Free = double (*)(const Amounts&, std::uint32_t, const HostState*);

class ResourceWeigher : public plugin::Weigher {
 public:
  ResourceWeigher(const Shared& shared, std::string_view multiplier, Free free)
      : shared_(shared), multiplier_(multiplier), free_(free) {}

  void weigh(const plugin::Call& call, plugin::Weights& weights) const override {
    const Snapshot& snapshot = shared_.hosts->of(call);
    const Amounts amounts(call.picture());
    const Multipliers multipliers(call.picture(), snapshot.aggregates, multiplier_);
    weights.set_minimum(0);
    const auto candidates = call.candidates();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const std::uint32_t host = candidates[i];
      weights.set(i, finite(free_(amounts, host, snapshot.hosts.find(host))));
      const auto multiplier = multipliers.any() ? multipliers.of(host) : std::nullopt;
      if (multiplier) weights.set_multiplier(i, *multiplier);
    }
  }

 private:
  const Shared shared_;
  const std::string_view multiplier_;
  const Free free_;
};

}  // namespace

void add_resource_weighers(plugin::Plugin& plugin, const Shared& shared) {
  const auto add = [&](const char* name, std::string_view multiplier, Free free) {
    plugin.add(name, std::make_unique<ResourceWeigher>(shared, multiplier, free));
  };
  add("RAMWeigher", "ram_weight_multiplier",
      [](const Amounts& amounts, std::uint32_t host, const HostState*) { return amounts.free_ram_mb(host); });
  add("CPUWeigher", "cpu_weight_multiplier", [](const Amounts& amounts, std::uint32_t host, const HostState*) {
    return amounts.vcpus_total(host) * amounts.cpu_ratio(host) - amounts.vcpus_used(host);
  });
  add("DiskWeigher", "disk_weight_multiplier", [](const Amounts& amounts, std::uint32_t host, const HostState* state) {
    return amounts.free_disk_mb(host, state);
  });
}

}  // namespace emplace::nova
