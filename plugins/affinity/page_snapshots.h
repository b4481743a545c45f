// PageSnapshots: the page index of each picture, kept up as pictures change. A vm takes part while it lives, is on a
// host and has a sample whose rate is a power of two.
//
// First picture: O(n log n) in the hashes of all samples, done in parts of a few million so that memory stays bounded.
// Next ones: in proportion to the hashes that came and went.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "emplace/plugin.hpp"
#include "page_index.h"

namespace emplace::affinity {

// log2 of a sample's rate; nothing for a rate that is no power of two.
std::optional<std::uint32_t> level_of(std::int64_t rate);

struct HostDelta {
  std::uint32_t host;
  std::int32_t count;
};

// A number per host, zero at first, in blocks of hosts; versions share the blocks that did not change.
class HostCounts {
 public:
  std::uint32_t operator[](std::uint32_t host) const {
    const std::size_t block = host / kBlock;
    return block < blocks_.size() && blocks_[block] ? (*blocks_[block])[host % kBlock] : 0;
  }
  // Copies each block that the deltas reach once.
  HostCounts with(std::span<const HostDelta> deltas) const;

 private:
  static constexpr std::size_t kBlock = 1024;
  using Block = std::array<std::uint32_t, kBlock>;
  std::vector<std::shared_ptr<const Block>> blocks_;
};

struct PageSnapshot {
  PageIndex pages;
  HostCounts sampled;  // vms with a sample
};

class PageSnapshots : public plugin::Snapshots<PageSnapshot> {
 protected:
  std::shared_ptr<const PageSnapshot> first(const plugin::View& after) const override;
  std::shared_ptr<const PageSnapshot> next(const PageSnapshot& index, const plugin::View& before,
                                           const plugin::View& after, const plugin::Changes& changes) const override;
};

}  // namespace emplace::affinity
