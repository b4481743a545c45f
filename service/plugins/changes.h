// changed_rows: which rows of one column differ between two pictures, in value, validity or time of observation. Chunks
// that both pictures share are skipped by their address, so the work is in proportion to the chunks that were written.
#pragma once

#include <cstdint>
#include <vector>

#include "service/core/picture/picture.h"

namespace emplace {

// Rising; also rows that only one of the two has. Both pictures lie in the same arena.
std::vector<std::uint32_t> changed_rows(const Picture& before, const Picture& after, int column);

// How many chunks of the column the two do not share: how far apart they are.
std::size_t changed_chunks(const Picture& before, const Picture& after, int column);

}  // namespace emplace
