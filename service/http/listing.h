// Lists of the picture in a stable order: rows of a table sorted by a key, the page after a marker. Rows have no order
// of their own that a client may see.
//
// Cost: one pass over the table, and a partial sort of the page. Pure functions.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "service/core/picture.h"

namespace emplace::http {

// `key`: row → what orders the list; `kept`: row → whether it belongs to the list. At most limit + 1 rows, so that the
// caller sees whether there are more.
template <typename Marker, typename Key, typename Kept>
std::vector<std::uint32_t> rows_after(std::uint32_t rows, const std::optional<Marker>& marker, std::size_t limit,
                                      Kept kept, Key key) {
  std::vector<std::uint32_t> found;
  for (std::uint32_t row = 0; row < rows; ++row) {
    if (kept(row) && (!marker || key(row) > *marker)) found.push_back(row);
  }
  const auto by_key = [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); };
  const auto end = found.begin() + static_cast<std::ptrdiff_t>(std::min(found.size(), limit + 1));
  std::partial_sort(found.begin(), end, found.end(), by_key);
  found.erase(end, found.end());
  return found;
}

inline std::optional<std::string> name_marker(const std::string& marker) {
  return marker.empty() ? std::nullopt : std::optional(marker);
}

inline bool is_alive(const Picture& picture, Column<std::uint8_t> alive, std::uint32_t row) {
  return picture[alive].get(row) == std::uint8_t{1};
}

}  // namespace emplace::http
