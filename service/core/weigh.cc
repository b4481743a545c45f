#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "service/core/best_first.h"
#include "service/core/clones.h"
#include "service/core/rank.h"

namespace emplace {
namespace {

using Rows = std::span<const std::uint32_t>;

// The hosts by rising row: weighers are asked in that order, whatever the caller's is.
struct Asked {
  std::vector<std::uint32_t> rows;
  std::vector<std::uint32_t> positions;  // of each row in the caller's order; empty: the same
};

Asked by_row(Rows hosts) {
  Asked asked{{hosts.begin(), hosts.end()}, {}};
  if (std::is_sorted(hosts.begin(), hosts.end())) return asked;
  asked.positions.resize(hosts.size());
  std::iota(asked.positions.begin(), asked.positions.end(), 0u);
  std::stable_sort(asked.positions.begin(), asked.positions.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return hosts[a] < hosts[b]; });
  std::sort(asked.rows.begin(), asked.rows.end());
  return asked;
}

std::vector<double> in_callers_order(std::vector<double> values, const Asked& asked) {
  if (asked.positions.empty() || values.empty()) return values;
  std::vector<double> back(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) back[asked.positions[i]] = values[i];
  return back;
}

constexpr std::size_t kLanes = 8;

struct Range {
  double low, high;
};

// In lanes, since one running minimum can't be vectorised without giving up NaN; the least of all is the same.
EMPLACE_CLONES Range range_of(const double* values, std::size_t count) {
  double low[kLanes], high[kLanes];
  for (std::size_t lane = 0; lane < kLanes; ++lane) low[lane] = high[lane] = values[0];
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const double value = values[i + lane];
      low[lane] = value < low[lane] ? value : low[lane];
      high[lane] = value > high[lane] ? value : high[lane];
    }
  }
  for (; i < count; ++i) {
    low[0] = std::min(low[0], values[i]);
    high[0] = std::max(high[0], values[i]);
  }
  return {*std::min_element(low, low + kLanes), *std::max_element(high, high + kLanes)};
}

EMPLACE_CLONES void clamp(double* values, double low, double high, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const double raised = values[i] < low ? low : values[i];
    values[i] = raised > high ? high : raised;
  }
}

EMPLACE_CLONES void scale(double* values, double low, double range, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = (values[i] - low) / range;
}

EMPLACE_CLONES void add_times(const double* values, double times, double* totals, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) totals[i] += times * values[i];
}

EMPLACE_CLONES bool all_finite(const double* values, std::size_t count) {
  std::uint8_t fine = 1;
  for (std::size_t i = 0; i < count; ++i) {
    const bool finite =
        values[i] <= std::numeric_limits<double>::max() && values[i] >= std::numeric_limits<double>::lowest();
    fine = static_cast<std::uint8_t>(fine & finite);
  }
  return fine != 0;
}

bool all_finite(const std::vector<double>& values) { return all_finite(values.data(), values.size()); }

std::string fault_of(const Weights& weights, std::size_t hosts) {
  const bool sizes =
      weights.raw.size() == hosts && (weights.multipliers.empty() || weights.multipliers.size() == hosts);
  if (!sizes) return fmt::format("wanted {} weights, found {}", hosts, weights.raw.size());
  const bool bounds = std::isfinite(weights.minimum.value_or(0)) && std::isfinite(weights.maximum.value_or(0));
  if (!bounds || !all_finite(weights.raw) || !all_finite(weights.multipliers))
    return "wanted finite weights, found others";
  return {};
}

// Nova's steps: no weight leaves the weigher's own bounds; 0 and 1 are the bounds, or the least and greatest weight at
// hand.
std::vector<double> normalise(const Weights& weights) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<double> values = weights.raw;
  if (weights.minimum || weights.maximum) {
    clamp(values.data(), weights.minimum.value_or(-kInfinity), weights.maximum.value_or(kInfinity), values.size());
  }
  const Range range = range_of(values.data(), values.size());
  const double low = weights.minimum.value_or(range.low), high = weights.maximum.value_or(range.high);
  if (low == high) return std::vector<double>(values.size(), 0.0);
  scale(values.data(), low, high - low, values.size());
  return values;
}

void add_weigher(const Weigher& weigher, double multiplier, const Query& query, const Asked& asked, Ranking& ranking) {
  auto weights = weigher.weigh(query, asked.rows);
  if (weights) std::ranges::replace_if(weights->multipliers, [](double m) { return std::isnan(m); }, multiplier);
  const std::string fault = weights ? fault_of(*weights, asked.rows.size()) : weights.error().message;
  if (!fault.empty()) {
    ranking.degraded.push_back({weigher.traits().id, fault});
    return;
  }
  WeighedColumn column{weigher.traits().id,
                       multiplier,
                       {},
                       in_callers_order(normalise(*weights), asked),
                       in_callers_order(std::move(weights->multipliers), asked)};
  column.raw = in_callers_order(std::move(weights->raw), asked);
  if (column.multipliers.empty()) {
    add_times(column.normalised.data(), multiplier, ranking.totals.data(), ranking.totals.size());
  } else {
    for (std::size_t i = 0; i < ranking.totals.size(); ++i)
      ranking.totals[i] += column.multipliers[i] * column.normalised[i];
  }
  ranking.weights.push_back(std::move(column));
}

double multiplier_of(const Rules& rules, std::size_t weigher) {
  return rules.profile.weighers[weigher].multiplier.value_or(rules.weighers[weigher]->default_multiplier());
}

}  // namespace

Ranking rank_by_weight(const Rules& rules, const Query& query, std::span<const std::uint32_t> hosts, std::size_t wanted,
                       Ties ties) {
  Ranking ranking;
  ranking.totals.assign(hosts.size(), 0.0);
  const Asked asked = by_row(hosts);
  for (std::size_t i = 0; i < rules.weighers.size() && hosts.size() > 1; ++i) {
    add_weigher(*rules.weighers[i], multiplier_of(rules, i), query, asked, ranking);
  }
  std::vector<std::uint32_t> order(hosts.size());
  std::iota(order.begin(), order.end(), 0u);
  TieBreak tie(query, hosts);
  best_first(order, wanted, [&](std::uint32_t a, std::uint32_t b) {
    if (ranking.totals[a] != ranking.totals[b]) return ranking.totals[a] > ranking.totals[b];
    return ties == Ties::kKeepOrder ? a < b : tie(a, b);
  });
  for (const std::uint32_t i : order) ranking.order.push_back({i, false, -ranking.totals[i]});
  return ranking;
}

}  // namespace emplace
