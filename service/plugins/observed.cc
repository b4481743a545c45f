#include "service/plugins/observed.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/plugins/changes.h"
#include "service/plugins/texts.h"

namespace emplace {

ObservedPictures::ObservedPictures(const TableLayout& layout, std::vector<TableLayout::Place> observed,
                                   const emplace_observer* observer, bool reentrant)
    : layout_(layout), observed_(std::move(observed)), observer_(observer), reentrant_(reentrant) {}

ObservedPictures::~ObservedPictures() {
  for (const auto& known : known_) {
    if (observer_) observer_->forget(observer_->self, known->tables.view().identity);
  }
}

Result<void> ObservedPictures::observe(const Picture& picture) {
  const std::unique_lock lock(mutex_);
  const auto known = find_or_observe(picture);
  return known ? Result<void>() : tl::unexpected(known.error());
}

void ObservedPictures::show_again() {
  const std::unique_lock lock(mutex_);
  // A failure shows up in the request that needs the picture.
  if (observer_ && !known_.empty()) std::ignore = show(nullptr, *known_.back());
}

const ObservedPictures::Known* ObservedPictures::find(const Picture& picture) const {
  for (const auto& known : known_) {
    const Picture& candidate = known->tables.picture();
    if (candidate.identity() != picture.identity() || candidate.arena() != picture.arena()) continue;
    known->last_use.store(uses_.fetch_add(1, std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return known.get();
  }
  return nullptr;
}

Result<const ObservedPictures::Known*> ObservedPictures::find_or_observe(const Picture& picture) {
  if (const Known* known = find(picture)) return known;
  auto made = std::make_unique<Known>(layout_, picture, ++identities_);
  if (observer_) {
    if (const auto shown = show(nearest(picture), *made); !shown) return tl::unexpected(shown.error());
    observations_.fetch_add(1, std::memory_order_relaxed);
  }
  make_room();
  known_.push_back(std::move(made));
  return find(picture);
}

// Addresses and offsets of two arenas say nothing about each other, so only pictures of the same one are compared.
const ObservedPictures::Known* ObservedPictures::nearest(const Picture& picture) const {
  const Known* best = nullptr;
  std::size_t least = SIZE_MAX;
  for (const auto& known : known_) {
    if (known->tables.picture().arena() != picture.arena()) continue;
    std::size_t distance = 0;
    for (const auto& place : observed_) {
      distance += changed_chunks(known->tables.picture(), picture, place.schema_column);
    }
    if (distance < least) best = known.get(), least = distance;
  }
  return best;
}

Result<void> ObservedPictures::show(const Known* before, const Known& after) const {
  std::vector<std::vector<std::uint32_t>> rows;
  std::vector<emplace_changed_rows> changes;
  for (const auto& place : observed_) {
    if (!before) break;
    auto changed = changed_rows(before->tables.picture(), after.tables.picture(), place.schema_column);
    if (changed.empty()) continue;
    rows.push_back(std::move(changed));  // moving a vector leaves its rows where they are
    changes.push_back({sizeof(emplace_changed_rows), place.table, place.column,
                       static_cast<std::uint32_t>(rows.back().size()), rows.back().data()});
  }
  emplace_error error{sizeof(emplace_error), {}};
  const std::int32_t status =
      observer_->observe(observer_->self, before ? &before->tables.view() : nullptr, &after.tables.view(),
                         changes.data(), static_cast<std::uint32_t>(changes.size()), &error);
  if (status == EMPLACE_OK) return {};
  return fail(ErrorCode::kUnavailable, "could not observe the picture: " + text_in(error));
}

void ObservedPictures::make_room() {
  while (known_.size() >= kKept) {
    const auto oldest = std::ranges::min_element(
        known_, {}, [](const auto& known) { return known->last_use.load(std::memory_order_relaxed); });
    if (observer_) observer_->forget(observer_->self, (*oldest)->tables.view().identity);
    known_.erase(oldest);
  }
}

}  // namespace emplace
