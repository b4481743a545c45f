// Memberships: which aggregates each host is in. Many hosts are in the same ones, so rules about aggregates judge each
// combination once.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "blocks.h"

namespace emplace::nova {

class Memberships {
 public:
  using Combination = std::vector<std::uint32_t>;  // rows of aggregates, rising

  struct Block {
    std::array<std::uint32_t, kBlockRows> positions{};  // in combinations()
  };

  Memberships() : known_(std::make_shared<Known>()) {}
  void set(std::uint32_t host, std::span<const std::uint32_t> aggregates);

  std::uint32_t position(std::uint32_t host) const;
  // Null: none of its hosts is in any.
  const Block* find(std::uint32_t host) const { return blocks_.find(host); }
  // The first is that of hosts in none. Grows with what was ever seen.
  const std::vector<Combination>& combinations() const { return known_->all; }

 private:
  struct Known {
    std::vector<Combination> all{{}};
    std::map<Combination, std::uint32_t> positions{{{}, 0}};
  };
  std::uint32_t position_of(Combination combination);

  Blocks<Block> blocks_;
  std::shared_ptr<Known> known_;  // shared between versions until one has more
};

}  // namespace emplace::nova
