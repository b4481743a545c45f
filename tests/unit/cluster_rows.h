// What tests of the picture share: ids with a number in them, and pictures made of changes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "service/core/change/change.h"
#include "service/core/picture/picture.h"

namespace emplace::testing_rows {

inline Uuid numbered(std::uint64_t n) {
  Uuid id;
  id.bytes[0] = 0xe0;
  for (std::size_t i = 0; i < 8; ++i) id.bytes[15 - i] = static_cast<std::uint8_t>(n >> (8 * i));
  return id;
}

inline std::shared_ptr<const Picture> empty_picture(std::uint64_t arena_bytes = std::uint64_t{4} << 30) {
  return std::make_shared<const Picture>(Arena::create(arena_bytes).value());
}

inline std::shared_ptr<const Picture> with_changes(std::shared_ptr<const Picture> base,
                                                   const std::vector<Change>& changes) {
  const std::uint64_t version = base->version().version + 1;
  PictureBuilder builder(std::move(base));
  for (const Change& change : changes) apply(builder, change);
  return builder.finish({"test", version, 0}, 0);
}

inline std::shared_ptr<const Picture> picture_of(const std::vector<Change>& changes) {
  return with_changes(empty_picture(), changes);
}

}  // namespace emplace::testing_rows
