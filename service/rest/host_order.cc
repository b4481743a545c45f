#include "service/rest/host_order.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "service/core/answer/explanation.h"
#include "service/core/json/json.h"

namespace emplace::http {
namespace {

using Indices = std::vector<std::uint32_t>;

// Indices of the hosts asked for: by weight, then as named.
Indices callers_order(const HostQuestion& question) {
  std::vector<std::optional<double>> weights;
  for (const NamedHost& one : question.hosts) {
    const auto at = question.weights.find(one.host);
    weights.push_back(at == question.weights.end() ? std::nullopt : std::optional(at->second));
  }
  Indices order(question.hosts.size());
  std::iota(order.begin(), order.end(), 0u);
  // Nothing is less than any number.
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return weights[a] > weights[b]; });
  return order;
}

// A nova-compute of several nodes has a row for each of them.
std::uint32_t find_row(const Picture& picture, const NamedHost& named) {
  const std::uint32_t row = picture.find_host(named.host);
  return row != kNoRow || named.node.empty() ? row : picture.find_host(named.host + '/' + named.node);
}

// The same hosts, in the caller's order, by row.
struct Asked {
  Indices order;                                    // of the caller
  std::unordered_map<std::uint32_t, Indices> rows;  // what the caller calls each row, in its order
  Indices unknown;

  Asked(const HostQuestion& question, const Picture& picture) : order(callers_order(question)) {
    for (const std::uint32_t i : order) {
      const std::uint32_t row = find_row(picture, question.hosts[i]);
      row == kNoRow ? unknown.push_back(i) : rows[row].push_back(i);
    }
  }
};

void append(std::vector<Degraded>& all, const std::vector<Degraded>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

// A filter that fails keeps no host, so the others decide without it.
Decision decide_without_failures(Rules rules, const Query& query, std::vector<Degraded>& degraded) {
  for (ObjectiveChoice& choice : rules.profile.objectives) {
    if (choice.on_error == OnError::kFail) choice.on_error = OnError::kDrop;
  }
  for (;;) {
    Decision decision = decide(rules, query, kMostRanked);
    const auto& failed = decision.screened.degraded;
    append(degraded, failed);
    const std::size_t dropped = std::erase_if(rules.filters, [&](const auto& filter) {
      return std::ranges::any_of(failed, [&](const Degraded& one) { return one.plugin == filter->traits().id; });
    });
    if (dropped > 0) continue;
    for (const Unjudged& one : decision.screened.unjudged) degraded.push_back(degraded_of(one));
    append(degraded, decision.costs.degraded);
    append(degraded, decision.ranking.degraded);
    return decision;
  }
}

// Less than 0, 0 or more than 0; 0: no rule tells one host from the other.
int compare(const Decision& decision, std::uint32_t a, std::uint32_t b) {
  const auto differ = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : 0; };
  for (const CostColumn& column : decision.costs.columns) {
    if (const int by_quality = differ(column.quality[a], column.quality[b])) return by_quality;
    if (column.quality[a] == Quality::kNoData) continue;
    if (const int by_value = differ(column.values[a], column.values[b])) return by_value;
  }
  const auto& totals = decision.ranking.totals;
  return totals.empty() ? 0 : differ(totals[a], totals[b]);
}

// Hosts of equal cost trade places until they are in the caller's order; every other keeps its place.
void settle_equals(const Decision& decision, const std::vector<std::size_t>& place_of_caller, Indices& sequence) {
  Indices places(sequence.size()), by_caller = sequence;
  std::iota(places.begin(), places.end(), 0u);
  const Indices before = sequence;
  std::stable_sort(places.begin(), places.end(),
                   [&](auto p, auto q) { return compare(decision, before[p], before[q]) < 0; });
  std::sort(by_caller.begin(), by_caller.end(), [&](auto a, auto b) {
    const int compared = compare(decision, a, b);
    return compared != 0 ? compared < 0 : place_of_caller[a] < place_of_caller[b];
  });
  for (std::size_t i = 0; i < places.size(); ++i) sequence[places[i]] = by_caller[i];
}

// Rows that passed, the best first.
Indices order_rows(const Decision& decision, const Asked& asked) {
  const Indices& rows = decision.costs.hosts;
  std::vector<std::size_t> place_of(asked.order.size());
  for (std::size_t place = 0; place < asked.order.size(); ++place) place_of[asked.order[place]] = place;
  std::vector<std::size_t> place_of_caller(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) place_of_caller[i] = place_of[asked.rows.at(rows[i]).front()];
  Indices sequence;
  std::vector<bool> ranked(rows.size());
  for (const Ranked& one : decision.ranking.order) {
    sequence.push_back(one.index);
    ranked[one.index] = true;
  }
  const std::size_t count = sequence.size();
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    if (!ranked[i]) sequence.push_back(i);
  }
  std::sort(sequence.begin() + static_cast<std::ptrdiff_t>(count), sequence.end(),
            [&](auto a, auto b) { return place_of_caller[a] < place_of_caller[b]; });
  settle_equals(decision, place_of_caller, sequence);
  for (std::uint32_t& index : sequence) index = rows[index];
  return sequence;
}

Degraded not_known(const HostQuestion& question, const Indices& unknown) {
  constexpr std::size_t kMostNamed = 3;
  std::string names;
  for (std::size_t i = 0; i < std::min(unknown.size(), kMostNamed); ++i) {
    names += (i > 0 ? ", " : "") + shortened(question.hosts[unknown[i]].host);
  }
  if (unknown.size() > kMostNamed) names += " and " + std::to_string(unknown.size() - kMostNamed) + " more";
  return {"picture", "hosts that are not known: " + names};
}

}  // namespace

Result<HostOrder> order_hosts(const Rules& rules, const HostQuestion& question, const Picture& picture,
                              std::int64_t now_us) {
  const Asked asked(question, picture);
  HostOrder order;
  order.unknown = asked.unknown.size();
  std::unordered_set<std::string_view> named;
  const auto name = [&](std::uint32_t i) {
    if (named.insert(question.hosts[i].host).second) order.hosts.push_back(question.hosts[i].host);
  };
  if (!asked.rows.empty()) {
    // The scheduler has picked forced and ignored hosts itself; those that it names are the candidates.
    PlacementRequest request = question.request;
    request.vm.ignore_hosts.clear();
    request.vm.only_hosts.clear();
    request.vm.only_nodes.clear();
    auto query = bind(request, request.vm, picture, now_us);
    if (!query) return tl::unexpected(query.error());
    auto& candidates = query->only_hosts.emplace();
    for (const auto& [row, ways] : asked.rows) candidates.push_back(row);
    const Indices passed = order_rows(decide_without_failures(rules, *query, order.degraded), asked);
    if (!passed.empty()) {
      auto taking = take(rules, *query, passed.front());
      if (!taking) return tl::unexpected(taking.error());
      order.first = picture[hosts::name][passed.front()];
      order.takes = std::move(taking->takes);
    }
    for (const std::uint32_t row : passed) std::ranges::for_each(asked.rows.at(row), name);
  }
  std::ranges::for_each(asked.unknown, name);
  if (order.unknown > 0) order.degraded.push_back(not_known(question, asked.unknown));
  return order;
}

}  // namespace emplace::http
