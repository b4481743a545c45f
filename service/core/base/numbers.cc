#include "service/core/base/numbers.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "service/core/base/clones.h"

namespace emplace {
namespace {

// As the compiler's own vectors: it does not make them from a running minimum, since that would treat NaN and -0 in
// another order than the loop does. Here neither counts.
using Lanes = double __attribute__((vector_size(32)));
constexpr std::size_t kLanes = sizeof(Lanes) / sizeof(double);
constexpr std::size_t kChains = 4;  // a single one would wait for itself

// `zero`: the sum of all times 0, which is NaN when one is not finite.
struct Found {
  double low[kLanes], high[kLanes], zero[kLanes];
};

EMPLACE_CLONES void find_range(const double* values, std::size_t count, Found& found) {
  Lanes low[kChains], high[kChains], zero[kChains] = {}, value;
  for (std::size_t chain = 0; chain < kChains; ++chain) {
    std::memcpy(&low[chain], values, sizeof value);
    high[chain] = low[chain];
  }
  std::size_t i = 0;
  for (; i + kChains * kLanes <= count; i += kChains * kLanes) {
    for (std::size_t chain = 0; chain < kChains; ++chain) {
      std::memcpy(&value, values + i + chain * kLanes, sizeof value);
      low[chain] = value < low[chain] ? value : low[chain];
      high[chain] = value > high[chain] ? value : high[chain];
      zero[chain] += value * 0.0;
    }
  }
  for (std::size_t chain = 1; chain < kChains; ++chain) {
    low[0] = low[chain] < low[0] ? low[chain] : low[0];
    high[0] = high[chain] > high[0] ? high[chain] : high[0];
    zero[0] += zero[chain];
  }
  std::memcpy(found.low, &low[0], sizeof value);
  std::memcpy(found.high, &high[0], sizeof value);
  std::memcpy(found.zero, &zero[0], sizeof value);
  for (; i < count; ++i) {
    found.low[0] = std::min(found.low[0], values[i]);
    found.high[0] = std::max(found.high[0], values[i]);
    found.zero[0] += values[i] * 0.0;
  }
}

EMPLACE_CLONES std::uint32_t any_falling(const std::uint32_t* values, std::size_t count) {
  std::uint32_t falling = 0;
  for (std::size_t i = 1; i < count; ++i) falling |= values[i - 1] > values[i] ? 1u : 0u;
  return falling;
}

EMPLACE_CLONES std::int64_t any_beyond(const double* values, std::size_t count, double limit) {
  std::int64_t beyond = 0;
  for (std::size_t i = 0; i < count; ++i) beyond |= ((values[i] <= limit) & (values[i] >= -limit)) ? 0 : -1;
  return beyond;
}

EMPLACE_CLONES std::int64_t any_number(const double* values, std::size_t count) {
  std::int64_t any = 0;
  for (std::size_t i = 0; i < count; ++i) any |= values[i] == values[i] ? -1 : 0;
  return any;
}

EMPLACE_CLONES std::size_t count_bits(const std::uint64_t* words, std::size_t count) {
  std::size_t bits = 0;
  for (std::size_t i = 0; i < count; ++i) bits += static_cast<std::size_t>(std::popcount(words[i]));
  return bits;
}

}  // namespace

Extremes range_of(std::span<const double> values) {
  if (values.size() < kLanes) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return {*low, *high};
  }
  Found found;
  find_range(values.data(), values.size(), found);
  return {*std::min_element(found.low, found.low + kLanes), *std::max_element(found.high, found.high + kLanes)};
}

std::optional<Extremes> finite_range_of(std::span<const double> values) {
  if (values.size() < kLanes) return all_finite(values) ? std::optional(range_of(values)) : std::nullopt;
  Found found;
  find_range(values.data(), values.size(), found);
  for (const double zero : found.zero) {
    if (zero != 0) return std::nullopt;
  }
  return Extremes{*std::min_element(found.low, found.low + kLanes), *std::max_element(found.high, found.high + kLanes)};
}

bool all_ones(const std::byte* bits, std::uint32_t first, std::uint32_t last) {
  const std::uint32_t from = first / 8, to = last / 8;
  const unsigned head = 0xffu << first % 8, tail = 0xffu >> (7 - last % 8);
  const auto has = [&](std::uint32_t i, unsigned wanted) {
    return (std::to_integer<unsigned>(bits[i]) & wanted) == wanted;
  };
  if (from == to) return has(from, head & tail & 0xffu);
  bool all = has(from, head & 0xffu) && has(to, tail);
  for (std::uint32_t i = from + 1; i < to && all; ++i) all = has(i, 0xffu);
  return all;
}

bool is_rising(std::span<const std::uint32_t> values) { return any_falling(values.data(), values.size()) == 0; }

bool all_within(std::span<const double> values, double limit) {
  return any_beyond(values.data(), values.size(), limit) == 0;
}

bool all_finite(std::span<const double> values) { return all_within(values, std::numeric_limits<double>::max()); }

bool all_nan(std::span<const double> values) { return any_number(values.data(), values.size()) == 0; }

void pick(const double* values, std::uint32_t first, std::span<const std::uint32_t> rows, double* picked) {
  constexpr std::size_t kTogether = 8;
  std::size_t i = 0;
  for (; i + kTogether <= rows.size(); i += kTogether) {
    if (rows[i + kTogether - 1] - rows[i] == kTogether - 1) {
      std::memcpy(picked + i, values + (rows[i] - first), kTogether * sizeof(double));
    } else {
      for (std::size_t j = i; j < i + kTogether; ++j) picked[j] = values[rows[j] - first];
    }
  }
  for (; i < rows.size(); ++i) picked[i] = values[rows[i] - first];
}

std::size_t count_bits(std::span<const std::uint64_t> words) { return count_bits(words.data(), words.size()); }

}  // namespace emplace
