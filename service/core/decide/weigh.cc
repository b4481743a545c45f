#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "service/core/base/clones.h"
#include "service/core/base/numbers.h"
#include "service/core/decide/best_first.h"
#include "service/core/decide/rank.h"

namespace emplace {
namespace {

using Rows = std::span<const std::uint32_t>;

// The hosts by rising row: weighers are asked in that order, whatever the caller's is.
struct Asked {
  Rows rows;
  std::vector<std::uint32_t> sorted;     // what rows are, where the caller's were not
  std::vector<std::uint32_t> positions;  // of each row in the caller's order; empty: the same
};

Asked by_row(Rows hosts) {
  Asked asked{hosts, {}, {}};
  if (is_rising(hosts)) return asked;
  asked.positions.resize(hosts.size());
  std::iota(asked.positions.begin(), asked.positions.end(), 0u);
  std::stable_sort(asked.positions.begin(), asked.positions.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return hosts[a] < hosts[b]; });
  asked.sorted.assign(hosts.begin(), hosts.end());
  std::sort(asked.sorted.begin(), asked.sorted.end());
  asked.rows = asked.sorted;  // moving a vector leaves its values where they are
  return asked;
}

std::vector<double> in_callers_order(std::vector<double> values, const Asked& asked) {
  if (asked.positions.empty() || values.size() != asked.positions.size()) return values;
  std::vector<double> back(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) back[asked.positions[i]] = values[i];
  return back;
}

EMPLACE_CLONES void replace_nan(double* values, double by, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = values[i] == values[i] ? values[i] : by;
}

inline double normalise(double weight, double minimum, double maximum, double low, double range) {
  const double raised = weight < minimum ? minimum : weight;
  const double clamped = raised > maximum ? maximum : raised;
  return (clamped - low) / range;
}

EMPLACE_CLONES void add_normalised(const double* raw, const WeighedColumn& column, double* totals, std::size_t count) {
  const double minimum = column.minimum, maximum = column.maximum, low = column.low, range = column.range;
  const double times = column.multiplier;
  for (std::size_t i = 0; i < count; ++i) totals[i] += times * normalise(raw[i], minimum, maximum, low, range);
}

EMPLACE_CLONES void add_normalised(const double* raw, const double* times, const WeighedColumn& column, double* totals,
                                   std::size_t count) {
  const double minimum = column.minimum, maximum = column.maximum, low = column.low, range = column.range;
  for (std::size_t i = 0; i < count; ++i) totals[i] += times[i] * normalise(raw[i], minimum, maximum, low, range);
}

// Of a weigher that says the same of every host.
EMPLACE_CLONES void add_same(const double* times, double normalised, double* totals, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) totals[i] += times[i] * normalised;
}

EMPLACE_CLONES void add_same(double addend, double* totals, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) totals[i] += addend;
}

// Nova's steps: no weight leaves the weigher's own bounds; 0 and 1 are the bounds, or the least and greatest weight at
// hand.
WeighedColumn column_of(const Weigher& weigher, double multiplier, const Weights& weights, const Extremes& raw) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double minimum = weights.minimum.value_or(-kInfinity), maximum = weights.maximum.value_or(kInfinity);
  const auto clamped = [&](double weight) { return std::min(std::max(weight, minimum), maximum); };
  const double low = weights.minimum.value_or(clamped(raw.low)), high = weights.maximum.value_or(clamped(raw.high));
  return {weigher.traits().id, multiplier, {}, {}, minimum, maximum, low, high - low};
}

std::optional<Extremes> raw_range(const Weights& weights) {
  if (weights.range || weights.raw.empty()) return weights.range;
  return finite_range_of(weights.raw);
}

std::string fault_of(const Weights& weights, bool finite, std::size_t hosts) {
  const bool sizes = (weights.raw.size() == hosts || weights.raw.size() == 1) &&
                     (weights.multipliers.empty() || weights.multipliers.size() == hosts);
  if (!sizes) return fmt::format("wanted {} weights, found {}", hosts, weights.raw.size());
  const bool bounds = std::isfinite(weights.minimum.value_or(0)) && std::isfinite(weights.maximum.value_or(0));
  if (!bounds || !finite || !all_finite(weights.multipliers)) return "wanted finite weights, found others";
  return {};
}

// A host without data is never better than one that has: it gets the others' least weight, by the sign of its
// multiplier. How many these are; all of them: nothing is filled in.
std::size_t fill_without_data(Weights& weights, double multiplier) {
  std::vector<double>& raw = weights.raw;
  const auto lacking = weights.range ? 0 : std::ranges::count_if(raw, [](double weight) { return std::isnan(weight); });
  if (lacking == 0 || static_cast<std::size_t>(lacking) == raw.size()) return static_cast<std::size_t>(lacking);
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const double weight : raw) low = std::fmin(low, weight), high = std::fmax(high, weight);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const double times = weights.multipliers.empty() ? multiplier : weights.multipliers[i];
    if (std::isnan(raw[i])) raw[i] = times < 0 ? high : low;
  }
  return static_cast<std::size_t>(lacking);
}

void add_weigher(const Weigher& weigher, double multiplier, const Query& query, const Asked& asked, Ranking& ranking) {
  auto weights = weigher.weigh(query, asked.rows);
  if (weights) replace_nan(weights->multipliers.data(), multiplier, weights->multipliers.size());
  if (const std::size_t lacking = weights ? fill_without_data(*weights, multiplier) : 0; lacking > 0) {
    const bool all = lacking == weights->raw.size();
    ranking.degraded.push_back(
        {weigher.traits().id, all ? fmt::format("was left out: none of {} hosts has data", asked.rows.size())
                                  : fmt::format("{} of {} hosts have no data, and so the least weight of the others",
                                                lacking, asked.rows.size())});
    if (all) return;
  }
  const auto raw = weights ? raw_range(*weights) : std::nullopt;
  const std::string fault = weights ? fault_of(*weights, raw.has_value(), asked.rows.size()) : weights.error().message;
  if (!fault.empty()) {
    ranking.degraded.push_back({weigher.traits().id, fault});
    return;
  }
  WeighedColumn column = column_of(weigher, multiplier, *weights, *raw);
  column.raw = in_callers_order(std::move(weights->raw), asked);
  column.multipliers = in_callers_order(std::move(weights->multipliers), asked);
  ranking.weights.push_back(std::move(column));
}

void add(const WeighedColumn& column, std::size_t at, double* totals, std::size_t hosts) {
  const double* times = column.multipliers.empty() ? nullptr : column.multipliers.data() + at;
  if (column.raw.size() == 1) {
    const double normalised = column.normalised(0);
    return times ? add_same(times, normalised, totals, hosts) : add_same(column.multiplier * normalised, totals, hosts);
  }
  const double* raw = column.raw.data() + at;
  times ? add_normalised(raw, times, column, totals, hosts) : add_normalised(raw, column, totals, hosts);
}

// For a stretch of hosts at a time, whose totals stay near the processor until all weighers are added.
void add_up(Ranking& ranking) {
  constexpr std::size_t kStretch = 1024;
  for (std::size_t at = 0; at < ranking.totals.size(); at += kStretch) {
    const std::size_t hosts = std::min(kStretch, ranking.totals.size() - at);
    double* totals = ranking.totals.data() + at;
    for (const WeighedColumn& column : ranking.weights) {
      if (column.range != 0) add(column, at, totals, hosts);
    }
  }
}

// ---- the greatest totals

constexpr std::size_t kTotalsBlock = 64;

// Positions, rising, among which are the `wanted` best: as many blocks have a total that is not below the wanted-th
// greatest total of any block, so whatever is below that is not needed.
std::vector<std::uint32_t> leaders(const std::vector<double>& totals, std::size_t wanted) {
  const std::size_t blocks = totals.size() / kTotalsBlock;
  std::vector<std::uint32_t> all;
  if (wanted == 0) return all;
  if (blocks < 2 * wanted) {
    all.resize(totals.size());
    std::iota(all.begin(), all.end(), 0u);
    return all;
  }
  std::vector<double> highest(blocks);
  for (std::size_t block = 0; block < blocks; ++block)
    highest[block] = range_of(std::span(totals).subspan(block * kTotalsBlock, kTotalsBlock)).high;
  std::vector<double> sorted = highest;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(wanted - 1), sorted.end(),
                   std::greater<>());
  const double enough = sorted[wanted - 1];
  for (std::size_t block = 0; block <= blocks; ++block) {
    if (block < blocks && highest[block] < enough) continue;
    for (std::size_t i = block * kTotalsBlock; i < std::min(totals.size(), (block + 1) * kTotalsBlock); ++i) {
      if (totals[i] >= enough) all.push_back(static_cast<std::uint32_t>(i));
    }
  }
  return all;
}

double multiplier_of(const Rules& rules, std::size_t weigher) {
  return rules.profile.weighers[weigher].multiplier.value_or(rules.weighers[weigher]->default_multiplier());
}

}  // namespace

double WeighedColumn::normalised(std::size_t host) const {
  return range == 0 ? 0 : normalise(weight(host), minimum, maximum, low, range);
}

Ranking rank_by_weight(const Rules& rules, const Query& query, std::span<const std::uint32_t> hosts, std::size_t wanted,
                       Ties ties) {
  Ranking ranking;
  ranking.totals.assign(hosts.size(), 0.0);
  const Asked asked = by_row(hosts);
  for (std::size_t i = 0; i < rules.weighers.size() && hosts.size() > 1; ++i) {
    add_weigher(*rules.weighers[i], multiplier_of(rules, i), query, asked, ranking);
  }
  add_up(ranking);
  std::vector<std::uint32_t> order = leaders(ranking.totals, wanted);
  TieBreak tie(query, hosts);
  best_first(order, wanted, [&](std::uint32_t a, std::uint32_t b) {
    if (ranking.totals[a] != ranking.totals[b]) return ranking.totals[a] > ranking.totals[b];
    return ties == Ties::kKeepOrder ? a < b : tie(a, b);
  });
  for (const std::uint32_t i : order) ranking.order.push_back({i, false, -ranking.totals[i]});
  return ranking;
}

}  // namespace emplace
