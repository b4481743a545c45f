#include "service/core/screen.h"

#include <algorithm>
#include <bit>

namespace emplace {
namespace {

Candidates living(const Picture& picture) {
  Candidates living(picture.rows(Table::kHosts));
  const auto alive = picture[hosts::alive];
  for (std::uint32_t row = 0; row < living.rows(); row += kChunkRows) {
    const std::uint8_t* values = alive.values(row / kChunkRows);
    const std::uint32_t rows = std::min(kChunkRows, living.rows() - row);
    for (std::uint32_t i = 0; i < rows; ++i) {
      living.words()[(row + i) >> 6] |= std::uint64_t{values[i] == 1} << (i & 63);
    }
  }
  return living;
}

Candidates considered(const Query& query) {
  Candidates candidates = living(query.picture);
  if (!query.vm.only_hosts.empty()) {
    Candidates only(candidates.rows());
    for (const std::uint32_t row : query.only_hosts) {
      if (candidates.has(row)) only.insert(row);
    }
    candidates = std::move(only);
  }
  for (const std::uint32_t row : query.ignored_hosts) candidates.erase(row);
  return candidates;
}

// Books what filter `index` took out of `before`.
void book(const Candidates& before, std::span<const std::uint8_t> reasons, std::size_t index, Screened& screened) {
  for (std::uint32_t w = 0; w < before.words().size(); ++w) {
    std::uint64_t refused = before.words()[w] & ~screened.kept.words()[w];
    screened.counts[index] += static_cast<std::uint32_t>(std::popcount(refused));
    for (; refused != 0; refused &= refused - 1) {
      const std::uint32_t row = w * 64 + static_cast<std::uint32_t>(std::countr_zero(refused));
      screened.refused_by[row] = static_cast<std::uint8_t>(index + 1);
      screened.reasons[row] = reasons[row];
    }
  }
}

void apply_filter(const Query& query, const Filter& filter, std::span<std::uint8_t> reasons, Screened& screened) {
  std::fill(reasons.begin(), reasons.end(), std::uint8_t{0});
  const Candidates before = screened.kept;
  if (const auto done = filter.screen(query, screened.kept, reasons); !done) {
    screened.kept = Candidates(before.rows());
    screened.degraded.push_back({filter.traits().id, done.error().message});
    std::fill(reasons.begin(), reasons.end(), std::uint8_t{0});
    return;
  }
  // A filter can only take away.
  for (std::size_t w = 0; w < before.words().size(); ++w) screened.kept.words()[w] &= before.words()[w];
}

}  // namespace

Screened screen(const Rules& rules, const Query& query) {
  Screened screened;
  screened.kept = considered(query);
  screened.considered = static_cast<std::uint32_t>(screened.kept.count());
  const std::uint32_t rows = screened.kept.rows();
  screened.refused_by.resize(rows);
  screened.reasons.resize(rows);
  screened.counts.resize(rules.filters.size());
  std::vector<std::uint8_t> reasons(rows);
  std::uint32_t left = screened.considered;
  for (std::size_t i = 0; i < rules.filters.size() && left > 0; ++i) {
    const Candidates before = screened.kept;
    apply_filter(query, *rules.filters[i], reasons, screened);
    book(before, reasons, i, screened);
    left -= screened.counts[i];
  }
  return screened;
}

}  // namespace emplace
