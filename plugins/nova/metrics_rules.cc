// MetricsFilter: the host has every metric that is weighed. MetricsWeigher: the sum of those metrics, each times its
// ratio; where one is missing, an error or a value of its own, as configured.
#include <algorithm>
#include <cmath>
#include <limits>

#include "multipliers.h"
#include "weighing.h"

namespace emplace::nova {
namespace {

// Null when the host has no metric of that name. Of two the later counts.
const std::optional<double>* find_metric(const HostState* host, std::string_view name) {
  const std::optional<double>* found = nullptr;
  if (!host) return found;
  for (const auto& [known, value] : host->metrics) {
    if (known == name) found = &value;
  }
  return found;
}

const std::string* first_missing(const Ratios& ratios, const HostState* host) {
  for (const auto& [name, ratio] : ratios) {
    if (!find_metric(host, name)) return &name;
  }
  return nullptr;
}

constexpr std::uint8_t kMetricMissing = 1, kMetricsUnread = 2;  // reasons

class MetricsFilter : public plugin::Filter {
 public:
  explicit MetricsFilter(const Shared& shared) : shared_(shared) {}

  void screen(const plugin::Call& call, plugin::Verdicts& verdicts) const override {
    const auto options = shared_.settings->of(call);
    if (shared_.specs->of(call)->rebuild || options->metrics_weight_setting.empty()) return;
    const Snapshot& snapshot = shared_.hosts->of(call);
    const auto candidates = call.candidates();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const HostState* host = snapshot.hosts.find(candidates[i]);
      if (!first_missing(options->metrics_weight_setting, host)) continue;
      is_unread(host, "metrics") ? verdicts.pass_unjudged(i, kMetricsUnread) : verdicts.refuse(i, kMetricMissing);
    }
  }

  plugin::Refusal explain(const plugin::Call& call, std::uint32_t host, std::uint8_t reason) const override {
    const HostState* state = shared_.hosts->of(call).hosts.find(host);
    const std::string* missing = first_missing(shared_.settings->of(call)->metrics_weight_setting, state);
    if (reason == kMetricsUnread) return {"nova.metrics.unread", missing ? *missing : "", "metrics was not read"};
    return {"nova.metrics", missing ? *missing : "", "none"};
  }

 private:
  const Shared shared_;
};

class MetricsWeigher : public plugin::Weigher {
 public:
  explicit MetricsWeigher(const Shared& shared) : shared_(shared) {}

  void weigh(const plugin::Call& call, plugin::Weights& weights) const override {
    write_multipliers(call, shared_, {"metrics_weight_multiplier"}, weights);
    const auto options = shared_.settings->of(call);
    const Snapshot& snapshot = shared_.hosts->of(call);
    const auto candidates = call.candidates();
    if (options->metrics_weight_setting.empty()) return weights.set_all(0);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const HostState* host = snapshot.hosts.find(candidates[i]);
      if (!is_unread(host, "metrics")) weights.set(i, value_of(host, *options, weights.multipliers()[i]));
    }
  }

 private:
  // A missing metric changes nothing where it would not count anyway. Nothing of an infinite multiplier is no number in
  // Python, which is not 0. `multiplier`: NaN where it is the profile's.
  static bool counts(double ratio, double multiplier) {
    if (std::isnan(multiplier)) return ratio != 0;
    const bool is_infinite = std::abs(multiplier) >= kMostMultiplier;
    return ratio * (is_infinite ? std::copysign(std::numeric_limits<double>::infinity(), multiplier) : multiplier) != 0;
  }

  static double value_of(const HostState* host, const Options& options, double multiplier) {
    double sum = 0;
    for (const auto& [name, ratio] : options.metrics_weight_setting) {
      if (const auto* value = find_metric(host, name)) {
        if (!*value) throw plugin::Error("[metrics]weight_setting: wanted a value of " + name + ", found one per cell");
        sum += **value * ratio;
      } else if (options.metrics_required) {
        throw plugin::Error("[metrics]weight_setting: wanted the metric " + name + " of each host, found one without");
      } else if (counts(ratio, multiplier)) {
        return options.metrics_weight_of_unavailable;
      }
    }
    return sum;
  }

  const Shared shared_;
};

}  // namespace

void add_metrics_rules(plugin::Plugin& plugin, const Shared& shared) {
  plugin.add("MetricsFilter", std::make_unique<MetricsFilter>(shared));
  plugin.add("MetricsWeigher", std::make_unique<MetricsWeigher>(shared));
}

}  // namespace emplace::nova
