// PageIndex: which hosts hold a page, by its sampled hash: an inverted index with versions that share what did not
// change. It is a trie over (hash, host), six bits a step, whose leaves hold up to 64 entries; its shape depends on its
// contents only. A change is a sorted batch of counts and copies just the nodes that it reaches.
//
// Each entry also says at which level the page was sampled. The level of a hash is the number of its trailing zero
// bits; a sample of rate 2^l holds exactly the vm's hashes of level l and more, so samples of different rates agree on
// all hashes of the coarser one's level and more.
//
// Threads: an index never changes. Cost: update O(batch x depth); match O(hashes x depth + entries found).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace emplace::affinity {

struct PageEntry {
  std::uint64_t hash;
  std::uint32_t host;
  std::uint32_t level : 8;
  std::uint32_t count : 24;  // vms on the host whose sample, of this level, holds the hash; > 0
};

struct PageDelta {
  std::uint64_t hash;
  std::uint32_t host;
  std::uint32_t level;
  std::int32_t count;
};

class PageIndex {
 public:
  // Adds the counts, which are sorted here; those that reach zero go. Throws when one would fall below.
  PageIndex with(std::vector<PageDelta> deltas) const;

  // Calls found(entry) for each entry of each of `hashes` (sorted), by rising hash, host, level.
  template <typename Found>
  void match(std::span<const std::uint64_t> hashes, Found&& found) const {
    if (root_) match(*root_, hashes, 0, found);
  }
  std::size_t size() const { return root_ ? root_->size : 0; }  // entries

 private:
  static constexpr std::uint32_t kHashSteps = 11;  // ten of six bits and one of four
  static constexpr std::uint32_t kSteps = 17;      // and then the host's
  static constexpr std::size_t kLeaf = 64;

  struct Node {
    std::size_t size = 0;
    std::vector<PageEntry> entries = {};                     // of a leaf
    std::uint64_t present = 0;                               // of a branch: which of 64 children there are
    std::vector<std::shared_ptr<const Node>> children = {};  // those, in order
  };
  using NodePointer = std::shared_ptr<const Node>;

  static std::uint32_t hash_digit(std::uint64_t hash, std::uint32_t step) {
    return step < 10 ? static_cast<std::uint32_t>(hash >> (58 - 6 * step)) & 63 : static_cast<std::uint32_t>(hash) & 15;
  }
  static std::uint32_t digit(std::uint64_t hash, std::uint32_t host, std::uint32_t step) {
    if (step < kHashSteps) return hash_digit(hash, step);
    const std::uint32_t shift = 6 * (kSteps - 1 - step);
    return step + 1 == kSteps ? host & 3 : (host >> (shift - 4)) & 63;
  }
  static NodePointer merge(const NodePointer& node, std::span<const PageDelta> deltas, std::uint32_t step);
  static NodePointer merge_leaf(const NodePointer& node, std::span<const PageDelta> deltas, std::uint32_t step);
  static NodePointer merge_branch(const Node& node, std::span<const PageDelta> deltas, std::uint32_t step);
  static NodePointer make(std::vector<PageEntry> entries, std::uint32_t step);
  static void collect(const Node& node, std::vector<PageEntry>& entries);

  template <typename Found>
  static void match(const Node& node, std::span<const std::uint64_t> hashes, std::uint32_t step, Found& found);
  template <typename Found>
  static void match_leaf(const Node& node, std::span<const std::uint64_t> hashes, Found& found);

  NodePointer root_;
};

template <typename Found>
void PageIndex::match(const Node& node, std::span<const std::uint64_t> hashes, std::uint32_t step, Found& found) {
  if (node.present == 0) return match_leaf(node, hashes, found);
  // Beyond the hash's digits all entries below have one hash, and `hashes` is that one.
  if (step >= kHashSteps) {
    for (const auto& child : node.children) match(*child, hashes, step + 1, found);
    return;
  }
  std::size_t child = 0;
  for (std::uint64_t left = node.present; left != 0; left &= left - 1, ++child) {
    const auto wanted = static_cast<std::uint32_t>(__builtin_ctzll(left));
    std::size_t skip = 0, take = 0;
    while (skip < hashes.size() && hash_digit(hashes[skip], step) < wanted) ++skip;
    while (skip + take < hashes.size() && hash_digit(hashes[skip + take], step) == wanted) ++take;
    if (take > 0) match(*node.children[child], hashes.subspan(skip, take), step + 1, found);
    hashes = hashes.subspan(skip + take);
  }
}

template <typename Found>
void PageIndex::match_leaf(const Node& node, std::span<const std::uint64_t> hashes, Found& found) {
  auto entry = node.entries.begin();
  for (const std::uint64_t hash : hashes) {
    while (entry != node.entries.end() && entry->hash < hash) ++entry;
    while (entry != node.entries.end() && entry->hash == hash) found(*entry++);
  }
}

}  // namespace emplace::affinity
