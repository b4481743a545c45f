#include "service/core/evaluate.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/core/clones.h"

namespace emplace {
namespace {

// Beyond this a sum of costs could overflow; no objective's unit needs it.
constexpr double kMaxCost = 1e300;

EMPLACE_CLONES bool all_finite(const double* values, const Quality* quality, std::size_t hosts) {
  std::uint8_t fine = 1;
  for (std::size_t i = 0; i < hosts; ++i) {
    const bool finite = values[i] <= kMaxCost && values[i] >= -kMaxCost;  // false for NaN
    fine = static_cast<std::uint8_t>(fine & (finite | (quality[i] == Quality::kNoData)));
  }
  return fine != 0;
}

std::size_t count_of(const Costs& costs, Quality quality) {
  return static_cast<std::size_t>(std::count(costs.quality.begin(), costs.quality.end(), quality));
}

void take_all_away(CostTable& table) {
  table.hosts.clear();
  table.columns.clear();
  table.refused = true;
}

void add_column(const Objective& objective, const ObjectiveChoice& choice, Costs costs, CostTable& table) {
  CostColumn column;
  column.id = objective.traits().id;
  column.unit = objective.unit();
  column.resolution = choice.resolution.value_or(objective.default_resolution());
  column.weight = choice.weight.value_or(objective.default_weight());
  column.values = std::move(costs.values);
  column.quality = std::move(costs.quality);
  table.columns.push_back(std::move(column));
}

// False: the decision must not be made without this objective.
bool take_column(const Objective& objective, const ObjectiveChoice& choice, const Query& query, CostTable& table) {
  const std::string& id = objective.traits().id;
  auto costs = objective.evaluate(query, table.hosts);
  const std::string fault = costs ? fault_of(*costs, table.hosts.size()) : costs.error().message;
  if (!fault.empty()) {
    table.degraded.push_back({id, fault});
    return choice.on_error != OnError::kFail;
  }
  if (!costs->stale_because.empty()) table.degraded.push_back({id, costs->stale_because});
  if (count_of(*costs, Quality::kNoData) == table.hosts.size()) {
    table.without_data.push_back(id);
    return true;
  }
  if (const std::size_t stale = count_of(*costs, Quality::kStale); stale > 0 && costs->stale_because.empty()) {
    table.degraded.push_back({id, fmt::format("stale values used on {} hosts", stale)});
  }
  add_column(objective, choice, *std::move(costs), table);
  return true;
}

}  // namespace

std::string fault_of(const Costs& costs, std::size_t hosts) {
  if (costs.values.size() != hosts || costs.quality.size() != hosts) {
    return fmt::format("wanted {} costs, found {} with {} qualities", hosts, costs.values.size(), costs.quality.size());
  }
  if (!all_finite(costs.values.data(), costs.quality.data(), hosts)) return "wanted finite costs, found others";
  return {};
}

CostTable evaluate(const Rules& rules, const Query& query, const Candidates& kept) {
  CostTable table;
  table.hosts = kept.to_rows();
  for (std::size_t i = 0; i < rules.objectives.size() && !table.hosts.empty(); ++i) {
    if (!take_column(*rules.objectives[i], rules.profile.objectives[i], query, table)) take_all_away(table);
  }
  table.complete.assign(table.hosts.size(), 1);
  for (const CostColumn& column : table.columns) {
    for (std::size_t i = 0; i < table.hosts.size(); ++i) table.complete[i] &= column.quality[i] != Quality::kNoData;
  }
  return table;
}

}  // namespace emplace
