#include "service/core/decide/pareto.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "service/core/base/clones.h"
#include "service/core/base/numbers.h"

namespace emplace {
namespace {

constexpr std::size_t kPointLanes = 16;  // points that one step of a scan compares
constexpr std::size_t kWorthwhile = 64;  // fewer points are scanned as they are

// The boxes of the points at hand, gathered so that scans read memory in order (columns × points).
struct Points {
  std::vector<std::uint32_t> ids;  // what the caller calls them
  std::vector<std::vector<double>> columns;
  std::vector<double> keys;  // sum of the columns scaled to 0..1: no point dominates one with a smaller key

  std::size_t size() const { return ids.size(); }
};

EMPLACE_CLONES void add_scaled(const double* column, double low, double range, double* keys, std::size_t points) {
  for (std::size_t i = 0; i < points; ++i) keys[i] += (column[i] - low) / range;
}

// Each step rounds monotonically, and so does their sum.
void add_keys(Points& points) {
  points.keys.assign(points.size(), 0.0);
  for (const auto& column : points.columns) {
    const auto [low, high] = std::minmax_element(column.begin(), column.end());
    if (*high > *low) add_scaled(column.data(), *low, *high - *low, points.keys.data(), points.size());
  }
}

Points gather(const Boxes& boxes, std::span<const std::uint32_t> among) {
  Points points;
  points.ids.assign(among.begin(), among.end());
  for (const auto& column : boxes.columns) {
    auto& gathered = points.columns.emplace_back(among.size());
    for (std::size_t i = 0; i < among.size(); ++i) gathered[i] = column[among[i]];
  }
  add_keys(points);
  return points;
}

// ---- before anything is gathered: one point that dominates most of the rest

constexpr std::size_t kPointsBlock = 512;
using Lanes = std::array<double, kPointsBlock>;
using Flags = std::array<std::uint8_t, kPointsBlock>;

void load(const std::vector<double>& column, std::span<const std::uint32_t> block, Lanes& values) {
  pick(column.data(), 0, block, values.data());
}

template <typename Body>
void for_each_block(std::span<const std::uint32_t> among, Body body) {
  for (std::size_t first = 0; first < among.size(); first += kPointsBlock) {
    body(among.subspan(first, std::min(kPointsBlock, among.size() - first)));
  }
}

Extremes range_among(const std::vector<double>& column, std::span<const std::uint32_t> among) {
  Extremes range{column[among.front()], column[among.front()]};
  Lanes values;
  for_each_block(among, [&](std::span<const std::uint32_t> block) {
    load(column, block, values);
    const auto [low, high] = range_of(std::span(values).first(block.size()));
    range = {std::min(range.low, low), std::max(range.high, high)};
  });
  return range;
}

std::uint32_t least_key(const Boxes& boxes, std::span<const std::uint32_t> among) {
  std::vector<Extremes> ranges;
  for (const auto& column : boxes.columns) ranges.push_back(range_among(column, among));
  std::uint32_t best = among.front();
  double best_key = std::numeric_limits<double>::infinity();
  Lanes values, keys;
  for_each_block(among, [&](std::span<const std::uint32_t> block) {
    keys.fill(0);
    for (std::size_t k = 0; k < ranges.size(); ++k) {
      if (ranges[k].low == ranges[k].high) continue;
      load(boxes.columns[k], block, values);
      add_scaled(values.data(), ranges[k].low, ranges[k].high - ranges[k].low, keys.data(), block.size());
    }
    if (range_of(std::span(keys).first(block.size())).low >= best_key) return;
    for (std::size_t i = 0; i < block.size(); ++i) {
      if (keys[i] < best_key) best_key = keys[i], best = block[i];
    }
  });
  return best;
}

EMPLACE_CLONES void mark_not_less(const double* column, double by, std::size_t points, std::uint8_t* no_less,
                                  std::uint8_t* greater) {
  for (std::size_t i = 0; i < points; ++i) {
    no_less[i] = static_cast<std::uint8_t>(no_less[i] & (column[i] >= by));
    greater[i] = static_cast<std::uint8_t>(greater[i] | (column[i] > by));
  }
}

// Those of `among` that the point `by` does not dominate.
std::vector<std::uint32_t> undominated(const Boxes& boxes, std::span<const std::uint32_t> among, std::uint32_t by) {
  std::vector<std::uint32_t> left;
  Lanes values;
  Flags no_less, greater;
  for_each_block(among, [&](std::span<const std::uint32_t> block) {
    no_less.fill(1);
    greater.fill(0);
    for (const auto& column : boxes.columns) {
      load(column, block, values);
      mark_not_less(values.data(), column[by], block.size(), no_less.data(), greater.data());
    }
    for (std::size_t i = 0; i < block.size(); ++i) {
      if ((no_less[i] & greater[i]) == 0) left.push_back(block[i]);
    }
  });
  return left;
}

// ---- on what is left

void keep_undominated(Points& points, std::size_t by) {
  std::vector<std::uint8_t> no_less(points.size(), 1), greater(points.size(), 0);
  for (const auto& column : points.columns) {
    mark_not_less(column.data(), column[by], points.size(), no_less.data(), greater.data());
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    points.ids[kept] = points.ids[i];
    points.keys[kept] = points.keys[i];
    for (auto& column : points.columns) column[kept] = column[i];
    kept += static_cast<std::size_t>((no_less[i] & greater[i]) == 0);
  }
  points.ids.resize(kept);
  points.keys.resize(kept);
  for (auto& column : points.columns) column.resize(kept);
}

std::size_t least(const std::vector<double>& values) {
  return static_cast<std::size_t>(std::min_element(values.begin(), values.end()) - values.begin());
}

// A few more points that dominate much: of each column the least.
void prefilter(Points& points) {
  if (points.size() < kWorthwhile) return;
  for (std::size_t column = 0; column < points.columns.size(); ++column) {
    // Of the points that are least in this column, the one with the least sum.
    const auto& values = points.columns[column];
    const double low = values[least(values)];
    std::size_t best = least(values);
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (values[i] == low && points.keys[i] < points.keys[best]) best = i;
    }
    keep_undominated(points, best);
  }
}

bool equal_boxes(const Points& points, std::size_t a, std::size_t b) {
  return std::all_of(points.columns.begin(), points.columns.end(),
                     [&](const auto& column) { return column[a] == column[b]; });
}

// By key; among rounded-equal keys by columns, so that a point never comes after one that it dominates and equal boxes
// are neighbours.
std::vector<std::uint32_t> presorted(const Points& points) {
  struct Entry {
    double key;
    std::uint32_t point;
  };
  std::vector<Entry> entries(points.size());
  for (std::uint32_t i = 0; i < entries.size(); ++i) entries[i] = {points.keys[i], i};
  std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
    if (a.key != b.key) return a.key < b.key;
    for (const auto& column : points.columns) {
      if (column[a.point] != column[b.point]) return column[a.point] < column[b.point];
    }
    return false;
  });
  std::vector<std::uint32_t> order(entries.size());
  std::transform(entries.begin(), entries.end(), order.begin(), [](const Entry& entry) { return entry.point; });
  return order;
}

// Does any of kPointLanes window points lie nowhere above `point` (`stride` values between two columns)?
EMPLACE_CLONES bool any_not_above(const double* window, std::size_t stride, const double* point, std::size_t columns) {
  std::int64_t inside[kPointLanes];
  for (std::size_t lane = 0; lane < kPointLanes; ++lane) inside[lane] = -1;
  for (std::size_t column = 0; column < columns; ++column) {
    const double limit = point[column];
    const double* values = window + column * stride;
    for (std::size_t lane = 0; lane < kPointLanes; ++lane) inside[lane] &= values[lane] <= limit ? -1 : 0;
  }
  std::int64_t any = 0;
  for (std::size_t lane = 0; lane < kPointLanes; ++lane) any |= inside[lane];
  return any != 0;
}

// The distinct boxes of the front so far, in blocks of kPointLanes points (columns × lanes each); the rest of the last
// block is padded with points that are above everything.
class Window {
 public:
  explicit Window(std::size_t columns) : columns_(columns) {}

  bool has_not_above(const double* point) const {
    for (std::size_t block = 0; block < values_.size(); block += columns_ * kPointLanes) {
      if (any_not_above(values_.data() + block, kPointLanes, point, columns_)) return true;
    }
    return false;
  }

  void add(const double* point) {
    const std::size_t lane = size_ % kPointLanes;
    if (lane == 0) values_.resize(values_.size() + columns_ * kPointLanes, std::numeric_limits<double>::infinity());
    double* block = values_.data() + values_.size() - columns_ * kPointLanes;
    for (std::size_t column = 0; column < columns_; ++column) block[column * kPointLanes + lane] = point[column];
    ++size_;
  }

 private:
  const std::size_t columns_;
  std::size_t size_ = 0;
  std::vector<double> values_;
};

std::vector<std::uint32_t> scan(const Points& points, const std::vector<std::uint32_t>& order) {
  Window window(points.columns.size());
  std::vector<double> point(points.columns.size());
  std::vector<std::uint32_t> front;
  bool previous_kept = false;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || !equal_boxes(points, order[i - 1], order[i])) {
      for (std::size_t column = 0; column < point.size(); ++column) point[column] = points.columns[column][order[i]];
      previous_kept = !window.has_not_above(point.data());
      if (previous_kept) window.add(point.data());
    }
    if (previous_kept) front.push_back(points.ids[order[i]]);
  }
  return front;
}

// One column: its least boxes. They are what the prefilter leaves of many points, but few points pass through it
// unseen.
std::vector<std::uint32_t> front_of_one(const Points& points) {
  const auto& column = points.columns.front();
  std::vector<std::uint32_t> front;
  const double low = column[least(column)];
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (column[i] == low) front.push_back(points.ids[i]);
  }
  return front;
}

// Two columns: by the first, then the second; a point is on the front when its second is below all before it.
std::vector<std::uint32_t> front_of_two(const Points& points) {
  const auto& x = points.columns[0];
  const auto& y = points.columns[1];
  std::vector<std::uint32_t> order(points.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return x[a] != x[b] ? x[a] < x[b] : y[a] < y[b]; });
  std::vector<std::uint32_t> front;
  std::uint32_t last = order.front();
  for (const std::uint32_t i : order) {
    if (i != order.front() && y[i] >= y[last] && !equal_boxes(points, i, last)) continue;
    front.push_back(points.ids[i]);
    last = i;
  }
  return front;
}

}  // namespace

namespace {

// floor() as one instruction where there is one.
EMPLACE_CLONES void floor_boxes(const double* values, double resolution, double* boxes, std::size_t hosts) {
  for (std::size_t i = 0; i < hosts; ++i) {
    const double box = std::floor(values[i] / resolution);
    const double from_below = box > -kMissingBox / 2 ? box : -kMissingBox / 2;
    boxes[i] = from_below < kMissingBox / 2 ? from_below : kMissingBox / 2;
  }
}

}  // namespace

Boxes quantise(const CostTable& costs) {
  Boxes boxes;
  boxes.hosts = costs.hosts.size();
  for (const CostColumn& column : costs.columns) {
    auto& numbers = boxes.columns.emplace_back(boxes.hosts);
    floor_boxes(column.values.data(), column.resolution, numbers.data(), boxes.hosts);
    if (!any_missing(column)) continue;
    for (std::size_t i = 0; i < boxes.hosts; ++i) {
      if (column.quality[i] == Quality::kNoData) numbers[i] = kMissingBox;
    }
  }
  return boxes;
}

std::vector<std::uint32_t> pareto_front(const Boxes& boxes, std::span<const std::uint32_t> among) {
  if (boxes.columns.empty() || among.empty()) return {among.begin(), among.end()};
  std::vector<std::uint32_t> left;
  if (among.size() >= kWorthwhile) {
    left = undominated(boxes, among, least_key(boxes, among));
    among = left;
  }
  Points points = gather(boxes, among);
  prefilter(points);
  std::vector<std::uint32_t> front;
  switch (points.columns.size()) {
    case 1:
      front = front_of_one(points);
      break;
    case 2:
      front = front_of_two(points);
      break;
    default:
      front = scan(points, presorted(points));
  }
  std::sort(front.begin(), front.end());
  return front;
}

std::vector<std::uint32_t> pareto_front(const CostTable& costs) {
  return pareto_front(quantise(costs), first_rank_hosts(costs));
}

std::vector<std::uint32_t> first_rank_hosts(const CostTable& costs) {
  std::vector<std::uint32_t> hosts(costs.hosts.size());
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < hosts.size(); ++i) {
    hosts[count] = i;
    count += costs.complete[i];
  }
  if (count == 0) {
    std::iota(hosts.begin(), hosts.end(), 0u);
  } else {
    hosts.resize(count);
  }
  return hosts;
}

}  // namespace emplace
