#include "aggregates/memberships.h"

#include <algorithm>

namespace emplace::nova {

void Memberships::set(std::uint32_t host, std::span<const std::uint32_t> aggregates) {
  if (aggregates.empty() && !blocks_.find(host)) return;
  Combination combination(aggregates.begin(), aggregates.end());
  std::ranges::sort(combination);
  const std::uint32_t position = position_of(std::move(combination));
  blocks_.open(host).positions[host % kBlockRows] = position;
}

std::uint32_t Memberships::position(std::uint32_t host) const {
  const Block* block = blocks_.find(host);
  return block ? block->positions[host % kBlockRows] : 0;
}

std::uint32_t Memberships::position_of(Combination combination) {
  const auto at = known_->positions.find(combination);
  if (at != known_->positions.end()) return at->second;
  if (known_.use_count() > 1) known_ = std::make_shared<Known>(*known_);
  const auto position = static_cast<std::uint32_t>(known_->all.size());
  known_->all.push_back(combination);
  known_->positions.emplace(std::move(combination), position);
  return position;
}

}  // namespace emplace::nova
