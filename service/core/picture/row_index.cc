#include "service/core/picture/row_index.h"

#include <xxhash.h>

#include <algorithm>

namespace emplace {
namespace {

// A bijection (the finaliser of MurmurHash3), so equal mixed keys mean equal keys.
std::uint64_t mix(std::uint64_t key) {
  key ^= key >> 33;
  key *= 0xff51afd7ed558ccdULL;
  key ^= key >> 33;
  key *= 0xc4ceb9fe1a85ec53ULL;
  key ^= key >> 33;
  return key;
}

// Level 0 is the root. Entries sort by mixed key, so a shard's entries share their first 12 bits.
std::size_t slot(std::uint64_t mixed, int level) { return (mixed >> (60 - 4 * level)) & 15; }

}  // namespace

std::uint64_t text_key(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

template <typename Part>
Part& RowIndex::own(std::shared_ptr<Part>& part, std::uint64_t edit) {
  if (part && edit != 0 && part->edit == edit) return *part;
  part = part ? std::make_shared<Part>(*part) : std::make_shared<Part>();
  part->edit = edit;
  return *part;
}

std::vector<RowIndex::Entry>& RowIndex::own_shard(std::uint64_t mixed, std::uint64_t edit) {
  Trunk& trunk = own(own(root_, edit).children[slot(mixed, 0)], edit);
  Branch& branch = own(trunk.children[slot(mixed, 1)], edit);
  return own(branch.children[slot(mixed, 2)], edit).entries;
}

std::span<const RowIndex::Entry> RowIndex::shard_of(std::uint64_t mixed) const {
  if (!root_) return {};
  const Trunk* trunk = root_->children[slot(mixed, 0)].get();
  const Branch* branch = trunk ? trunk->children[slot(mixed, 1)].get() : nullptr;
  const Shard* shard = branch ? branch->children[slot(mixed, 2)].get() : nullptr;
  return shard ? std::span<const Entry>(shard->entries) : std::span<const Entry>();
}

void RowIndex::insert(std::uint64_t key, std::uint32_t row, std::uint64_t edit) {
  const Entry entry{mix(key), row};
  const auto old = shard_of(entry.key);
  if (std::binary_search(old.begin(), old.end(), entry)) return;
  auto& entries = own_shard(entry.key, edit);
  entries.insert(std::lower_bound(entries.begin(), entries.end(), entry), entry);
  ++size_;
}

void RowIndex::erase(std::uint64_t key, std::uint32_t row, std::uint64_t edit) {
  const Entry entry{mix(key), row};
  const auto old = shard_of(entry.key);
  if (!std::binary_search(old.begin(), old.end(), entry)) return;
  auto& entries = own_shard(entry.key, edit);
  entries.erase(std::lower_bound(entries.begin(), entries.end(), entry));
  --size_;
}

RowIndex RowIndex::with(std::uint64_t key, std::uint32_t row) const {
  RowIndex next = *this;
  next.insert(key, row, 0);
  return next;
}

RowIndex RowIndex::without(std::uint64_t key, std::uint32_t row) const {
  RowIndex next = *this;
  next.erase(key, row, 0);
  return next;
}

std::span<const RowIndex::Entry> RowIndex::find_in(std::span<const Entry> shard, std::uint64_t mixed) {
  const auto [first, last] = std::equal_range(shard.begin(), shard.end(), Entry{mixed, 0},
                                              [](const Entry& a, const Entry& b) { return a.key < b.key; });
  return {first, last};
}

std::span<const RowIndex::Entry> RowIndex::find(std::uint64_t key) const {
  const std::uint64_t mixed = mix(key);
  return find_in(shard_of(mixed), mixed);
}

// Step by step for all keys: the processor waits for many cache lines at once where no step depends on the one before.
std::vector<std::span<const RowIndex::Entry>> RowIndex::find(std::span<const std::uint64_t> keys) const {
  std::vector<std::span<const Entry>> found;
  found.reserve(keys.size());
  for (const std::uint64_t key : keys) found.push_back(shard_of(mix(key)));
  for (const auto shard : found) __builtin_prefetch(shard.data());
  for (std::size_t i = 0; i < keys.size(); ++i) found[i] = find_in(found[i], mix(keys[i]));
  return found;
}

}  // namespace emplace
