#include "multipliers.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "python_text.h"

namespace emplace::nova {
namespace {

constexpr std::string_view kSuffix = "_weight_multiplier";
constexpr double kProfiles = std::numeric_limits<double>::quiet_NaN();

// One that is no number sends Nova to its configuration. Where all are infinite Nova multiplies by that, and has
// weights that are no numbers; here it is much, and still a number.
double least(const std::vector<std::optional<double>>& by_aggregate, std::span<const std::uint32_t> memberships) {
  std::optional<double> least;
  for (const std::uint32_t row : memberships) {
    if (row >= by_aggregate.size() || !by_aggregate[row]) continue;
    if (std::isnan(*by_aggregate[row])) return kProfiles;
    least = std::min(least.value_or(*by_aggregate[row]), *by_aggregate[row]);
  }
  if (!least) return kProfiles;
  return std::isinf(*least) ? std::copysign(kMostMultiplier, *least) : *least;
}

}  // namespace

void Multipliers::start(const std::vector<const Metadata*>& aggregates) {
  keys_.clear();
  for (std::size_t row = 0; row < aggregates.size(); ++row) {
    for (const auto& [name, text] : aggregates[row] ? *aggregates[row] : Metadata()) {
      if (!name.ends_with(kSuffix)) continue;
      auto& by_aggregate = keys_[name].by_aggregate;
      by_aggregate.resize(aggregates.size());
      by_aggregate[row] = python_float(text).value_or(kProfiles);
    }
  }
}

void Multipliers::set(std::uint32_t host, std::span<const std::uint32_t> memberships) {
  for (auto& [name, key] : keys_)
    key.by_host.open(host).values[host % kBlockRows] = least(key.by_aggregate, memberships);
}

const Blocks<Multipliers::Block>* Multipliers::find(std::string_view key) const {
  const auto at = keys_.find(key);
  return at == keys_.end() ? nullptr : &at->second.by_host;
}

}  // namespace emplace::nova
