#include "weighing.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "clones.h"

namespace emplace::nova {
namespace {

NOVA_CLONES std::uint64_t exponents_of(const double* values, std::size_t count) {
  // An exponent of ones means an infinity or no number; adding one to it carries into the highest bit of what is
  // returned.
  constexpr std::uint64_t kExponent = 0x7ff0'0000'0000'0000, kOne = 0x0010'0000'0000'0000;
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    found |= (bits & kExponent) + kOne;
  }
  return found;
}

NOVA_CLONES void raise(double minimum, double* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = values[i] < minimum ? minimum : values[i];
}

}  // namespace

void make_finite(double* values, std::size_t count) {
  if (exponents_of(values, count) >> 63 == 0) return;
  constexpr double kMost = std::numeric_limits<double>::max();
  for (std::size_t i = 0; i < count; ++i) values[i] = std::isnan(values[i]) ? 0 : std::clamp(values[i], -kMost, kMost);
}

void raise_to(double minimum, double* values, std::size_t count) { raise(minimum, values, count); }

void pick(const double* block, std::uint32_t first, std::span<const std::uint32_t> candidates, double* values) {
  constexpr std::size_t kTogether = 8;  // neighbours, as most are
  std::size_t i = 0;
  for (; i + kTogether <= candidates.size(); i += kTogether) {
    if (candidates[i + kTogether - 1] - candidates[i] == kTogether - 1) {
      std::memcpy(values + i, block + (candidates[i] - first), kTogether * sizeof(double));
    } else {
      for (std::size_t j = i; j < i + kTogether; ++j) values[j] = block[candidates[j] - first];
    }
  }
  for (; i < candidates.size(); ++i) values[i] = block[candidates[i] - first];
}

void write_multipliers(const plugin::Call& call, const Shared& shared, const Multiplier& multiplier,
                       plugin::Weights& weights) {
  const auto* by_host = shared.hosts->of(call).multipliers.find(multiplier.key);
  const auto configured = shared.settings->of(call)->multiplier(multiplier.key);
  if (!by_host && !configured) return;
  const double otherwise = configured.value_or(std::numeric_limits<double>::quiet_NaN());
  for_each_block(call.candidates(), [&](std::uint32_t first, std::span<const std::uint32_t> rows, std::size_t at) {
    double* out = weights.multipliers() + at;
    const auto* own = by_host ? by_host->find(first) : nullptr;
    if (own) pick(own->values.data(), first, rows, out);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      out[i] = multiplier.sign * (own && !std::isnan(out[i]) ? out[i] : otherwise);
    }
  });
}

}  // namespace emplace::nova
