#include "service/core/picture/picture.h"

#include <algorithm>
#include <tuple>

namespace emplace {
namespace {

using Entries = std::span<const RowIndex::Entry>;

// Entries with the same hash, which other names may have, too.
template <typename Names>
std::uint32_t first_row(Entries entries, std::string_view name, const Names& names) {
  const auto at = std::ranges::find_if(entries, [&](const auto& entry) { return names[entry.row] == name; });
  return at == entries.end() ? kNoRow : at->row;
}

std::uint32_t first_row(const Picture& picture, Index which, std::string_view name, Column<Utf8> column) {
  return first_row(picture.index(which).find(text_key(name)), name, picture[column]);
}

}  // namespace

Picture::Picture(std::shared_ptr<Arena> arena) : arena_(std::move(arena)), base_(arena_->base()) {
  const auto none = std::make_shared<const ChunkedColumn>();
  columns_.fill(none);
  free_rows_.fill(std::make_shared<const std::vector<std::uint32_t>>());
  identity_ = arena_->next_identity();
}

std::uint32_t Picture::find_host(std::string_view name) const {
  return first_row(*this, Index::kHostsByName, name, hosts::name);
}
std::vector<std::uint32_t> Picture::find_hosts(std::span<const std::string> all) const {
  std::vector<std::uint64_t> keys(all.size());
  std::ranges::transform(all, keys.begin(), [](const std::string& name) { return text_key(name); });
  const auto found = index(Index::kHostsByName).find(keys);
  const auto names = (*this)[hosts::name];
  std::vector<std::uint32_t> rows(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) rows[i] = first_row(found[i], all[i], names);
  return rows;
}

std::uint32_t Picture::find_group(std::string_view name) const {
  return first_row(*this, Index::kGroupsByName, name, groups::name);
}
std::uint32_t Picture::find_aggregate(std::string_view name) const {
  return first_row(*this, Index::kAggregatesByName, name, aggregates::name);
}
std::uint32_t Picture::find_code(std::string_view text) const {
  return first_row(*this, Index::kStringsByText, text, strings::text);
}

std::uint32_t Picture::find_vm(const Uuid& id) const {
  const Picture& picture = *this;
  for (const auto& entry : index(Index::kVmsById).find(id.low())) {
    if (picture[vms::id][entry.row] == id && !picture[vms::claim].valid(entry.row)) return entry.row;
  }
  return kNoRow;
}

std::uint32_t Picture::find_claim(const Uuid& vm, const Uuid& claim) const {
  const Picture& picture = *this;
  for (const auto& entry : index(Index::kVmsById).find(vm.low())) {
    if (picture[vms::id][entry.row] == vm && picture[vms::claim].get(entry.row) == claim) return entry.row;
  }
  return kNoRow;
}

std::uint32_t Picture::find_vm_by_name(std::string_view name) const {
  const Picture& picture = *this;
  const auto order_of = [&](std::uint32_t vm) {
    const auto id = picture[vms::id].get(vm);
    const bool is_expected = picture[vms::state][vm] == static_cast<std::uint32_t>(VmState::kExpected);
    return std::tuple(is_expected, !id.has_value(), id.value_or(Uuid{}));
  };
  std::uint32_t found = kNoRow;
  for (const auto& entry : index(Index::kVmsByName).find(text_key(name))) {
    if (picture[vms::name][entry.row] != name || picture[vms::claim].valid(entry.row)) continue;
    if (found == kNoRow || order_of(entry.row) < order_of(found)) found = entry.row;
  }
  return found;
}

std::string_view Picture::text(std::uint32_t code) const {
  return code < rows(Table::kStrings) ? (*this)[strings::text][code] : std::string_view();
}

PublishedPicture::PublishedPicture(std::shared_ptr<const Picture> first) { slots_[0].picture = std::move(first); }

std::shared_ptr<const Picture> PublishedPicture::take() const {
  for (;;) {
    const std::size_t current = current_.load();
    Slot& slot = slots_[current];
    slot.readers.fetch_add(1);
    // If the slot is still current now, the writer can't have taken it for reuse: it looks at `readers` after it has
    // moved `current_` on, and both are sequentially consistent.
    if (current_.load() == current) {
      std::shared_ptr<const Picture> picture = slot.picture;
      slot.readers.fetch_sub(1, std::memory_order_release);
      return picture;
    }
    slot.readers.fetch_sub(1, std::memory_order_release);
  }
}

void PublishedPicture::publish(std::shared_ptr<const Picture> next) {
  const std::size_t current = current_.load();
  for (std::size_t i = (current + 1) % kSlots;; i = (i + 1) % kSlots) {
    if (i == current || slots_[i].readers.load() != 0) continue;
    slots_[i].picture = std::move(next);
    current_.store(i);
    break;
  }
  // The others only keep old chunks from being reused.
  for (std::size_t i = 0; i < kSlots; ++i) {
    if (i != current_.load() && slots_[i].picture && slots_[i].readers.load() == 0) slots_[i].picture.reset();
  }
}

}  // namespace emplace
