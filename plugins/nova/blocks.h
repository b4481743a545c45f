// Rows of hosts in blocks of 256: what a rule reads of every host is computed for the rows of a whole block, in loops
// over neighbours that need no look-ups, and then picked for the candidates among them. Blocks are also what two
// versions of an index share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace emplace::nova {

inline constexpr std::uint32_t kBlockRows = 256;

// Calls body(first row of the block, the candidates in it, position of the first of these) for blocks with candidates.
template <typename Body>
void for_each_block(std::span<const std::uint32_t> candidates, Body body) {
  for (std::size_t at = 0; at < candidates.size();) {
    const std::uint32_t first = candidates[at] / kBlockRows * kBlockRows;
    const auto next = candidates.subspan(at, std::min<std::size_t>(kBlockRows, candidates.size() - at));
    const bool whole = next.size() == kBlockRows && next.back() == first + kBlockRows - 1;
    const auto end = whole ? next.end() : std::lower_bound(next.begin(), next.end(), first + kBlockRows);
    const auto count = static_cast<std::size_t>(end - next.begin());
    body(first, next.first(count), at);
    at += count;
  }
}

// Whether the first `rows` rows of a block are valid, by the bitmap that starts at it (null: all are).
inline bool all_valid(const unsigned char* bits, std::size_t rows) {
  if (!bits) return true;
  for (std::size_t i = 0; i < rows / 8; ++i) {
    if (bits[i] != 0xff) return false;
  }
  const unsigned rest = (1u << rows % 8) - 1;
  return rest == 0 || (bits[rows / 8] & rest) == rest;
}

// Blocks of which versions share what did not change. A Block is what is kept of kBlockRows rows.
template <typename Block>
class Blocks {
 public:
  // Null: nothing was ever set in the block of this row.
  const Block* find(std::uint32_t row) const {
    const std::size_t index = row / kBlockRows;
    return index < blocks_.size() ? blocks_[index].get() : nullptr;
  }
  // To write to, before this version is seen by anybody else.
  Block& open(std::uint32_t row) {
    const std::size_t index = row / kBlockRows;
    if (index >= blocks_.size()) blocks_.resize(index + 1);
    auto& block = blocks_[index];
    if (!block) {
      block = std::make_shared<Block>();
    } else if (block.use_count() > 1) {
      block = std::make_shared<Block>(*block);
    }
    return *block;
  }
  std::uint32_t end() const { return static_cast<std::uint32_t>(blocks_.size() * kBlockRows); }

 private:
  std::vector<std::shared_ptr<Block>> blocks_;
};

}  // namespace emplace::nova
