#include "service/core/decide/decision.h"

#include <algorithm>

#include "service/core/request/request_json.h"

namespace emplace {
namespace {

// In how far the objectives disagree: many hosts in one and the same box are no disagreement.
bool is_too_wide(const Rules& rules, const CostTable& costs, const std::vector<std::uint32_t>& front) {
  if (static_cast<double>(front.size()) <= rules.profile.front_limit * static_cast<double>(costs.hosts.size()))
    return false;
  const Boxes boxes = quantise(costs);
  return std::any_of(boxes.columns.begin(), boxes.columns.end(), [&](const auto& column) {
    return std::any_of(front.begin(), front.end(), [&](std::uint32_t i) { return column[i] != column[front.front()]; });
  });
}

// "a.b.*" covers all parts that start with "a.b."; other patterns cover the part of that name.
bool covers(std::string_view pattern, std::string_view part) {
  if (pattern.ends_with('*')) return part.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == part;
}

template <typename Patterns>
bool any_covers(const Patterns& patterns, std::string_view part) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return covers(pattern, part); });
}

template <typename Rule>
bool any_reads(const std::vector<std::shared_ptr<const Rule>>& rules, std::string_view part) {
  return std::any_of(rules.begin(), rules.end(),
                     [&](const auto& rule) { return any_covers(rule->traits().reads_parts, part); });
}

}  // namespace

Decision decide(const Rules& rules, const Query& query, std::size_t wanted) {
  Decision decision;
  decision.screened = screen(rules, query);
  if (rules.profile.method == RankMethod::kNova) {
    decision.costs.hosts = decision.screened.kept.to_rows();
    decision.costs.complete.assign(decision.costs.hosts.size(), 1);
    decision.ranking = rank_by_weight(rules, query, decision.costs.hosts, wanted, Ties::kHash);
    return decision;
  }
  decision.costs = evaluate(rules, query, decision.screened.kept);
  decision.front = pareto_front(decision.costs);
  decision.ranking = rank(rules, query, decision.costs, decision.front, wanted);
  decision.front_too_wide = is_too_wide(rules, decision.costs, decision.front);
  return decision;
}

std::set<std::string> unjudging(const Decision& decision) {
  std::set<std::string> filters;
  for (const Unjudged& one : decision.screened.unjudged) filters.insert(one.filter);
  return filters;
}

std::vector<std::string> not_considered(const Rules& rules, const PlacementRequest& request,
                                        const std::set<std::string>& unjudging) {
  std::vector<std::string> unread;
  for (const std::string& part : request.parts) {
    const bool read = any_covers(core_parts(), part) || any_reads(rules.filters, part) ||
                      any_reads(rules.objectives, part) || any_reads(rules.weighers, part);
    const bool judged = std::ranges::none_of(rules.filters, [&](const auto& filter) {
      return unjudging.contains(filter->traits().id) && any_covers(filter->traits().reads_parts, part);
    });
    if (!read || !judged) unread.push_back(part);
  }
  return unread;
}

}  // namespace emplace
