#include "cli/why.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <vector>

#include "cli/table.h"

namespace emplace::cli {
namespace {

std::string number(double value) {
  return std::abs(value) >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

// One objective at the chosen host and at the best of the others that have a number.
struct Comparison {
  std::string objective, unit;
  double chosen = 0, best_other = 0;

  // As a share; 0 where a reader would see the same number twice.
  double lead() const {
    if (number(chosen) == number(best_other)) return 0;
    const double scale = std::max({std::abs(best_other), std::abs(chosen), 1e-9});
    return (best_other - chosen) / scale;
  }
};

std::string words_for(const std::string& objective) {
  static const std::map<std::string, std::string> kWords = {{"resource.load", "load"},
                                                            {"resource.stranding", "stranded capacity"},
                                                            {"affinity.memory", "added memory"},
                                                            {"affinity.network", "traffic between hosts"},
                                                            {"affinity.data", "data read from other hosts"},
                                                            {"group.fit", "group members out of place"}};
  const auto found = kWords.find(objective);
  return found == kWords.end() ? printable(objective) : found->second;
}

std::string amount_of(double value, const std::string& unit) {
  return number(value) + (unit.empty() ? "" : " " + printable(unit));
}

// "a", "a and b", "a, b and c"
std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == items.size() ? " and " : ", ") + items[i];
  }
  return text;
}

std::optional<double> cost_of(const Json& entry, const std::string& objective) {
  const Json cost = entry["costs"][objective];
  const bool known = cost["value"].is_number() && cost["quality"].string("ok") != "no_data";
  return known ? std::optional(cost["value"].number()) : std::nullopt;
}

std::vector<Comparison> compare(const Json& chosen, const std::vector<Json>& others) {
  std::vector<Comparison> all;
  for (const auto& [objective, cost] : chosen["costs"].members()) {
    std::optional<double> best;
    for (const Json& other : others) {
      const auto value = cost_of(other, objective);
      if (value && (!best || *value < *best)) best = value;
    }
    const auto own = cost_of(chosen, objective);
    if (own && best) all.push_back({objective, cost["unit"].string(), *own, *best});
  }
  return all;
}

std::string because_of_weight(const Json& chosen, const std::vector<Json>& others) {
  double next = others.front()["weight"].number();
  for (const Json& other : others) next = std::max(next, other["weight"].number());
  return fmt::format("its weight is the greatest, {}, and the next one {}", number(chosen["weight"].number()),
                     number(next));
}

std::string because_of_costs(const std::vector<Comparison>& all) {
  const auto best =
      std::max_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.lead() < b.lead(); });
  if (best->lead() > 0) {
    return fmt::format("it has the least {}, {}, and the next best {}", words_for(best->objective),
                       amount_of(best->chosen, best->unit), number(best->best_other));
  }
  std::vector<std::string> parts;
  for (const Comparison& one : all) {
    parts.push_back(fmt::format("{} {} (the least is {})", words_for(one.objective), amount_of(one.chosen, one.unit),
                                number(std::min(one.chosen, one.best_other))));
  }
  const bool behind = std::any_of(all.begin(), all.end(), [](const Comparison& one) { return one.lead() < 0; });
  return behind ? "it is the best compromise of " + listed(parts) : "no other costs less in anything";
}

// "by zone", or ", 4 by spread and 2 by zone"
std::string refusals(const Json& refused) {
  const auto filters = refused["by_filter"].members();
  if (filters.size() == 1) return " by " + printable(filters.front().first);
  std::vector<std::string> parts;
  for (const auto& [filter, count] : filters) parts.push_back(count.text() + " by " + printable(filter));
  return ", " + listed(parts);
}

std::string because(const Json& chosen, const std::vector<Json>& others) {
  if (others.empty()) return "it comes first in the order of the profile";
  if (!chosen["weight"].is_null()) return because_of_weight(chosen, others);
  const auto compared = compare(chosen, others);
  return compared.empty() ? "nothing is known that would set the others apart" : because_of_costs(compared);
}

}  // namespace

std::string why(const Json& choice) {
  const std::vector<Json> ranking = choice["ranking"].items();
  const double refused = choice["refused"]["count"].number();
  if (ranking.empty()) {
    if (refused == 0) return "There is no host to choose from.";
    return fmt::format("No host fits: {} refused{}.",
                       refused == 1 ? "the only one was" : fmt::format("all {} were", refused),
                       refusals(choice["refused"]));
  }
  const std::string claimed = choice["claim"]["host"].string();
  const std::string first = printable(ranking.front()["host"].text());
  const std::string host = claimed.empty() ? first : printable(claimed);
  std::string text;
  if (host != first) {
    text = fmt::format("{} was taken because {}, which comes first, had no room left", host, first);
  } else if (choice["candidates"].number() == 1) {
    text = host + " is the only host that fits";
  } else {
    text = fmt::format("{} was chosen of {} hosts that fit: {}", host, choice["candidates"].text(),
                       because(ranking.front(), {ranking.begin() + 1, ranking.end()}));
  }
  if (refused > 0) {
    text += fmt::format("; {} refused{}", refused == 1 ? "1 other was" : fmt::format("{} others were", refused),
                        refusals(choice["refused"]));
  }
  return text + ".";
}

}  // namespace emplace::cli
