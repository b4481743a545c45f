// RowIndex: an immutable multimap from a 64-bit key to rows of a table, with versions that share what did not change.
// Two levels of 64 references lead to sorted shards; an insertion or removal copies one path (2 x 64 references and a
// shard of about n/4096 entries), a look-up is two steps and a binary search. Keys are mixed before use, so row numbers
// serve as keys. A key made from a text is a hash: the caller compares the row it finds.
//
// Threads: values of this type are immutable; copies are cheap (one reference).
#pragma once

#include <array>
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
  // Built at once, for start-up and for big imports.
  static RowIndex build(std::vector<std::pair<std::uint64_t, std::uint32_t>> entries);

  // The entries of one key, by rising row.
  std::span<const Entry> find(std::uint64_t key) const;
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kFanOut = 64;
  using Shard = std::vector<Entry>;
  using Branch = std::array<std::shared_ptr<const Shard>, kFanOut>;
  using Root = std::array<std::shared_ptr<const Branch>, kFanOut>;

  RowIndex replace(std::uint64_t mixed, std::shared_ptr<const Shard> shard, std::size_t size) const;
  const Shard* shard_of(std::uint64_t mixed) const;

  std::shared_ptr<const Root> root_;
  std::size_t size_ = 0;
};

std::uint64_t text_key(std::string_view text);

}  // namespace emplace
