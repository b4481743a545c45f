#include "service/core/decide/rank.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "service/core/decide/best_first.h"
#include "service/core/decide/scores.h"

namespace emplace {
namespace {

using Hosts = std::vector<std::uint32_t>;  // indices into CostTable::hosts

// What is in `all` (rising) and not in `some` (rising).
Hosts without(const Hosts& all, std::span<const std::uint32_t> some) {
  Hosts rest(all.size() + 1);  // each step writes, the next one over what was not meant
  std::size_t count = 0, next = 0;
  for (const std::uint32_t host : all) {
    while (next < some.size() && some[next] < host) ++next;
    rest[count] = host;
    count += next == some.size() || some[next] != host;
  }
  rest.resize(count);
  return rest;
}

class Ranker {
 public:
  Ranker(const Rules& rules, const Query& query, const CostTable& costs, std::size_t wanted)
      : method_(rules.profile.method), costs_(costs), wanted_(wanted), tie_(query, costs.hosts) {}

  // Appends one front, best first.
  void take(std::span<const std::uint32_t> front, bool is_first) {
    const FrontScores scores = score_front(method_, costs_, front);
    std::vector<std::uint32_t> order(front.size());
    std::iota(order.begin(), order.end(), 0u);
    best_first(order, wanted_ - ranking_.order.size(), [&](std::uint32_t a, std::uint32_t b) {
      if (method_ == RankMethod::kLexicographic) {
        const int compared = compare_boxes(front[a], front[b]);
        return compared != 0 ? compared < 0 : tie_(front[a], front[b]);
      }
      if (scores.score[a] != scores.score[b]) return scores.score[a] < scores.score[b];
      if (scores.sum[a] != scores.sum[b]) return scores.sum[a] < scores.sum[b];
      return tie_(front[a], front[b]);
    });
    for (const std::uint32_t i : order) ranking_.order.push_back({front[i], is_first, scores.score[i]});
  }

  // Appends front after front until enough are ranked.
  void peel(Hosts rest) {
    while (!rest.empty() && !done()) {
      const Hosts front = pareto_front(boxes(), rest);
      take(front, false);
      if (!done()) rest = without(rest, front);
    }
  }

  bool done() const { return ranking_.order.size() >= wanted_; }
  Ranking result() { return std::move(ranking_); }

 private:
  // Made when first needed: a short ranking often ends on the first front.
  const Boxes& boxes() {
    if (!boxes_) boxes_ = quantise(costs_);
    return *boxes_;
  }

  int compare_boxes(std::uint32_t a, std::uint32_t b) {
    for (const auto& column : boxes().columns) {
      if (column[a] != column[b]) return column[a] < column[b] ? -1 : 1;
    }
    return 0;
  }

  const RankMethod method_;
  const CostTable& costs_;
  const std::size_t wanted_;
  TieBreak tie_;
  std::optional<Boxes> boxes_;
  Ranking ranking_;
};

}  // namespace

std::uint64_t tie_hash(const Query& query, std::uint32_t host) {
  const Uuid& id = query.vm.id;
  const std::uint64_t seed =
      XXH64(query.vm.name.data(), query.vm.name.size(), XXH64(id.bytes.data(), id.bytes.size(), 0));
  const std::string_view name = query.picture[hosts::name][host];
  return XXH64(name.data(), name.size(), seed);
}

Ranking rank(const Rules& rules, const Query& query, const CostTable& costs, std::span<const std::uint32_t> front,
             std::size_t wanted) {
  Ranker ranker(rules, query, costs, wanted);
  ranker.take(front, true);
  if (ranker.done()) return ranker.result();
  const Hosts first = first_rank_hosts(costs);
  ranker.peel(without(first, front));
  Hosts all(costs.hosts.size());
  std::iota(all.begin(), all.end(), 0u);
  ranker.peel(without(all, first));
  return ranker.result();
}

}  // namespace emplace
