#include "service/core/decide/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "service/core/base/numbers.h"

namespace emplace {
namespace {

// Beyond this a sum of costs could overflow; no objective's unit needs it.
constexpr double kMaxCost = 1e300;

// Of the costs that there are: what stands for a missing one does not matter.
bool all_costs_within(const Costs& costs, double limit) {
  if (all_within(costs.values, limit)) return true;
  for (std::size_t i = 0; i < costs.values.size(); ++i) {
    const bool within = costs.values[i] <= limit && costs.values[i] >= -limit;  // false for NaN
    if (!within && costs.quality[i] != Quality::kNoData) return false;
  }
  return true;
}

std::size_t count_of(const Costs& costs, Quality quality) {
  return static_cast<std::size_t>(std::count(costs.quality.begin(), costs.quality.end(), quality));
}

// Every host is taken away: the profile would rather have no answer than one without this objective.
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
  if (!all_costs_within(costs, kMaxCost)) return "wanted finite costs, found others";
  return {};
}

bool any_missing(const CostColumn& column) {
  return !column.quality.empty() &&
         std::memchr(column.quality.data(), static_cast<int>(Quality::kNoData), column.quality.size()) != nullptr;
}

CostTable evaluate(const Rules& rules, const Query& query, const Candidates& kept) {
  CostTable table;
  table.hosts = kept.to_rows();
  for (std::size_t i = 0; i < rules.objectives.size() && !table.hosts.empty(); ++i) {
    if (!take_column(*rules.objectives[i], rules.profile.objectives[i], query, table)) take_all_away(table);
  }
  table.complete.assign(table.hosts.size(), 1);
  for (const CostColumn& column : table.columns) {
    if (!any_missing(column)) continue;
    for (std::size_t i = 0; i < table.hosts.size(); ++i) table.complete[i] &= column.quality[i] != Quality::kNoData;
  }
  return table;
}

}  // namespace emplace
