// RowIndex: an immutable multimap from a 64-bit key to rows of a table, with versions that share what did not change.
// Three levels of 16 references lead to sorted shards of about n/4096 entries; an insertion or removal copies one path,
// a look-up is three steps and a binary search. Keys are mixed before use, so row numbers serve as keys. A key made
// from a text is a hash: the caller compares the row it finds.
//
// Threads: copies are cheap (one reference), and whoever holds one sees it unchanged whatever is made of other copies.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace emplace {

class RowIndex {
 public:
  struct Entry {
    std::uint64_t key;  // mixed
    std::uint32_t row;
    auto operator<=>(const Entry&) const = default;
  };

  RowIndex with(std::uint64_t key, std::uint32_t row) const;     // no-op when present
  RowIndex without(std::uint64_t key, std::uint32_t row) const;  // no-op when absent

  // The same in place, for a series of edits by one owner: what was copied under the same `edit` number is not copied
  // again. No copy of the index may be taken between two edits with one number, and a number serves one series only.
  // Spans that find() gave end with the next edit.
  void insert(std::uint64_t key, std::uint32_t row, std::uint64_t edit);
  void erase(std::uint64_t key, std::uint32_t row, std::uint64_t edit);

  // The entries of one key, by rising row.
  std::span<const Entry> find(std::uint64_t key) const;
  // Of each of many keys; out of the caches several times as fast as one after the other.
  std::vector<std::span<const Entry>> find(std::span<const std::uint64_t> keys) const;
  std::size_t size() const { return size_; }
  // Nothing was inserted or erased between the two.
  bool same_version(const RowIndex& other) const { return root_ == other.root_; }

 private:
  static constexpr std::size_t kFanOut = 16;
  struct Shard {
    std::uint64_t edit = 0;
    std::vector<Entry> entries = {};
  };
  template <typename Child>
  struct Node {
    std::uint64_t edit = 0;  // the series that made it, which may still write to it; 0: nobody may
    std::array<std::shared_ptr<Child>, kFanOut> children = {};
  };
  using Branch = Node<Shard>;
  using Trunk = Node<Branch>;
  using Root = Node<Trunk>;

  template <typename Part>
  static Part& own(std::shared_ptr<Part>& part, std::uint64_t edit);
  std::vector<Entry>& own_shard(std::uint64_t mixed, std::uint64_t edit);
  std::span<const Entry> shard_of(std::uint64_t mixed) const;
  static std::span<const Entry> find_in(std::span<const Entry> shard, std::uint64_t mixed);

  std::shared_ptr<Root> root_;
  std::size_t size_ = 0;
};

std::uint64_t text_key(std::string_view text);

}  // namespace emplace
