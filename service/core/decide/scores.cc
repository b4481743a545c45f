#include "service/core/decide/scores.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace emplace {
namespace {

using Column = std::vector<double>;

// Costs of one front, scaled; only columns that differ on it.
struct Scaled {
  std::size_t hosts = 0;
  std::vector<Column> columns;
  std::vector<double> weights;
};

// Nothing when the column tells no host of the front from another.
std::optional<Column> scale(const CostColumn& costs, std::span<const std::uint32_t> front) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  bool any_missing = false;
  for (const std::uint32_t host : front) {
    if (costs.quality[host] == Quality::kNoData) {
      any_missing = true;
    } else {
      low = std::min(low, costs.values[host]);
      high = std::max(high, costs.values[host]);
    }
  }
  if (!(low < high) && !(any_missing && low == high)) return std::nullopt;
  const double range = low < high ? high - low : 1;
  Column scaled(front.size());
  for (std::size_t i = 0; i < front.size(); ++i) {
    scaled[i] = costs.quality[front[i]] == Quality::kNoData ? 1 : (costs.values[front[i]] - low) / range;
  }
  return scaled;
}

Scaled scale(const CostTable& costs, std::span<const std::uint32_t> front) {
  Scaled scaled;
  scaled.hosts = front.size();
  for (const CostColumn& column : costs.columns) {
    auto values = scale(column, front);
    if (!values) continue;
    scaled.columns.push_back(*std::move(values));
    scaled.weights.push_back(column.weight);
  }
  return scaled;
}

// Folds all columns into one number per host: value = step(value, weight, scaled cost), in the order of the columns.
template <typename Step>
Column fold(const Scaled& scaled, Step step) {
  Column values(scaled.hosts, 0.0);
  for (std::size_t k = 0; k < scaled.columns.size(); ++k) {
    for (std::size_t i = 0; i < scaled.hosts; ++i) values[i] = step(values[i], scaled.weights[k], scaled.columns[k][i]);
  }
  return values;
}

Column weighted_sum(const Scaled& scaled) {
  return fold(scaled, [](double sum, double weight, double cost) { return sum + weight * cost; });
}

Column chebyshev(const Scaled& scaled) {
  return fold(scaled, [](double worst, double weight, double cost) { return std::max(worst, weight * cost); });
}

// 1 - closeness: the distance to the ideal as a share of both distances.
Column topsis(const Scaled& scaled) {
  const Column ideal =
      fold(scaled, [](double sum, double weight, double cost) { return sum + (weight * cost) * (weight * cost); });
  const Column worst = fold(scaled, [](double sum, double weight, double cost) {
    return sum + (weight * (1 - cost)) * (weight * (1 - cost));
  });
  Column scores(scaled.hosts, 0.0);
  for (std::size_t i = 0; i < scaled.hosts; ++i) {
    const double both = std::sqrt(ideal[i]) + std::sqrt(worst[i]);
    if (both > 0) scores[i] = std::sqrt(ideal[i]) / both;
  }
  return scores;
}

// ---- knee

// The host that is best in column k; where several are, the one that is lexicographically best from there on, so that
// the choice means the same in any order of hosts.
std::size_t extreme_point(const Scaled& scaled, std::size_t k) {
  const std::size_t columns = scaled.columns.size();
  const auto better = [&](std::size_t a, std::size_t b) {
    for (std::size_t step = 0; step < columns; ++step) {
      const Column& column = scaled.columns[(k + step) % columns];
      if (column[a] != column[b]) return column[a] < column[b];
    }
    return false;
  };
  std::size_t best = 0;
  for (std::size_t i = 1; i < scaled.hosts; ++i) best = better(i, best) ? i : best;
  return best;
}

// Solves rows · x = 1 by elimination with the greatest pivot; nothing when the rows are not independent.
std::optional<Column> solve_for_ones(std::vector<Column> rows) {
  constexpr double kSmallestPivot = 1e-9;
  const std::size_t n = rows.size();
  for (auto& row : rows) row.push_back(1);
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t r = k + 1; r < n; ++r) pivot = std::abs(rows[r][k]) > std::abs(rows[pivot][k]) ? r : pivot;
    if (std::abs(rows[pivot][k]) < kSmallestPivot) return std::nullopt;
    std::swap(rows[k], rows[pivot]);
    for (std::size_t r = 0; r < n; ++r) {
      if (r == k) continue;
      const double factor = rows[r][k] / rows[k][k];
      for (std::size_t c = k; c <= n; ++c) rows[r][c] -= factor * rows[k][c];
    }
  }
  Column solution(n);
  for (std::size_t k = 0; k < n; ++k) solution[k] = rows[k][n] / rows[k][k];
  return solution;
}

// The normal of the plane through the extreme points, scaled so that the plane is normal · x = 1. Where they don't span
// one that faces the ideal point, the plane through the unit points.
Column plane_of(const Scaled& scaled) {
  const std::size_t columns = scaled.columns.size();
  std::vector<Column> extremes(columns, Column(columns));
  for (std::size_t k = 0; k < columns; ++k) {
    const std::size_t host = extreme_point(scaled, k);
    for (std::size_t c = 0; c < columns; ++c) extremes[k][c] = scaled.columns[c][host];
  }
  const auto normal = solve_for_ones(std::move(extremes));
  const bool faces_ideal = normal && std::all_of(normal->begin(), normal->end(), [](double part) { return part > 0; });
  return faces_ideal ? *normal : Column(columns, 1.0);
}

// The distance below the plane, negated.
Column knee(const Scaled& scaled) {
  Column scores(scaled.hosts, 0.0);
  if (scaled.columns.empty()) return scores;
  const Column normal = plane_of(scaled);
  double square = 0;
  for (const double part : normal) square += part * part;
  for (std::size_t i = 0; i < scaled.hosts; ++i) {
    double above = -1;
    for (std::size_t k = 0; k < normal.size(); ++k) above += normal[k] * scaled.columns[k][i];
    scores[i] = above / std::sqrt(square);
  }
  return scores;
}

// The scaled cost of the profile's first objective, as a person would look at it first; the order itself is box by box.
Column first_cost(const CostTable& costs, std::span<const std::uint32_t> front) {
  const auto scaled = costs.columns.empty() ? std::nullopt : scale(costs.columns.front(), front);
  return scaled.value_or(Column(front.size(), 0.0));
}

}  // namespace

FrontScores score_front(RankMethod method, const CostTable& costs, std::span<const std::uint32_t> front) {
  const Scaled scaled = scale(costs, front);
  FrontScores scores{{}, weighted_sum(scaled)};
  switch (method) {
    case RankMethod::kChebyshev:
      scores.score = chebyshev(scaled);
      break;
    case RankMethod::kKnee:
      scores.score = knee(scaled);
      break;
    case RankMethod::kTopsis:
      scores.score = topsis(scaled);
      break;
    case RankMethod::kLexicographic:
      scores.score = first_cost(costs, front);
      break;
    case RankMethod::kWeightedSum:
    case RankMethod::kNova:
      scores.score = scores.sum;
      break;
  }
  return scores;
}

}  // namespace emplace
