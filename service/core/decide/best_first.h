// The last steps of any ranking: sort only as many as are wanted, and break ties by hash.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "service/core/decide/rank.h"

namespace emplace {

// Cuts `order` to its `wanted` best, sorted. O(n + wanted log wanted) on average; few are picked in one pass that
// seldom moves anything.
template <typename Better>
void best_first(std::vector<std::uint32_t>& order, std::size_t wanted, Better better) {
  const std::size_t kept = std::min(wanted, order.size());
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(kept);
  constexpr std::size_t kFew = 16;
  if (kept * kFew < order.size()) {
    std::partial_sort(order.begin(), end, order.end(), better);
  } else {
    if (kept < order.size()) std::nth_element(order.begin(), end, order.end(), better);
    std::sort(order.begin(), end, better);
  }
  order.resize(kept);
}

// tie_hash as an order of positions in `hosts`; hosts of equal hash by name. Hashes are only made where they are asked
// for.
class TieBreak {
 public:
  TieBreak(const Query& query, std::span<const std::uint32_t> hosts) : query_(query), hosts_(hosts) {}

  bool operator()(std::uint32_t a, std::uint32_t b) {
    const std::uint64_t hash_a = hash(a), hash_b = hash(b);
    if (hash_a != hash_b) return hash_a < hash_b;
    const auto names = query_.picture[hosts::name];
    return names[hosts_[a]] < names[hosts_[b]];
  }

 private:
  std::uint64_t hash(std::uint32_t position) {
    if (hashes_.empty()) hashes_.resize(hosts_.size());
    std::uint64_t& known = hashes_[position];
    if (known == 0) known = tie_hash(query_, hosts_[position]);
    return known;
  }

  const Query& query_;
  const std::span<const std::uint32_t> hosts_;
  std::vector<std::uint64_t> hashes_;  // 0: not made yet
};

}  // namespace emplace
