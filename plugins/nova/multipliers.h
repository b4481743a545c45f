// Multipliers: what the metadata of a host's aggregates say of weighers' multipliers ("cpu_weight_multiplier"), worked
// out per host when memberships or metadata change. Of several the least counts. A text that is no number makes Nova
// fall back to its configuration, whatever the others say.
#pragma once

#include <array>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "blocks.h"
#include "emplace/view.hpp"

namespace emplace::nova {

// What an infinite multiplier becomes: a sum of many is still finite.
inline constexpr double kMostMultiplier = 1e300;

using Metadata = std::vector<std::pair<std::string, std::string>>;

class Multipliers {
 public:
  struct Block {
    std::array<double, kBlockRows> values;  // NaN: the profile's
    Block() { values.fill(std::numeric_limits<double>::quiet_NaN()); }
  };

  // Forgets all that was set, and starts with what aggregates say; then each host is to be set.
  void start(const std::vector<const Metadata*>& aggregates);
  // `memberships`: rows of aggregates.
  void set(std::uint32_t host, std::span<const std::uint32_t> memberships);
  // Null: no aggregate sets this one.
  const Blocks<Block>* find(std::string_view key) const;
  bool any() const { return !keys_.empty(); }

 private:
  struct Key {
    std::vector<std::optional<double>> by_aggregate;  // by row; not finite: no number
    Blocks<Block> by_host;
  };
  std::map<std::string, Key, std::less<>> keys_;
};

}  // namespace emplace::nova
