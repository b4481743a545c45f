#include "service/core/decide/screen.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace emplace {
namespace {

// Bit i: byte i of 8, each of them 0 or 1. The factor moves byte i to bit 56 + i.
std::uint64_t bits_of(const std::uint8_t* flags) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, flags, sizeof bytes);
  return (bytes * 0x0102040810204080u) >> 56;
}

// Chunks hold memory for all their rows, those beyond the table's end are not alive.
Candidates living(const Picture& picture) {
  Candidates living(picture.rows(Table::kHosts));
  const auto alive = picture[hosts::alive];
  for (std::uint32_t w = 0; w < living.words().size(); ++w) {
    const std::uint8_t* flags = alive.values(w * 64 / kChunkRows) + w * 64 % kChunkRows;
    for (unsigned i = 0; i < 8; ++i) living.words()[w] |= bits_of(flags + i * 8) << (i * 8);
  }
  return living;
}

Candidates considered(const Query& query) {
  Candidates candidates = living(query.picture);
  if (query.only_hosts) {
    Candidates only(candidates.rows());
    for (const std::uint32_t row : *query.only_hosts) {
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
    std::uint64_t refused = before.words()[w] & ~std::as_const(screened.kept).words()[w];
    screened.counts[index] += static_cast<std::uint32_t>(std::popcount(refused));
    for (; refused != 0; refused &= refused - 1) {
      const std::uint32_t row = w * 64 + static_cast<std::uint32_t>(std::countr_zero(refused));
      screened.refused_by[row] = static_cast<std::uint8_t>(index + 1);
      screened.reasons[row] = reasons[row];
    }
  }
}

// `of` counts every host that the filter looked at, those that it refused too.
Unjudged unjudged_by(const Filter& filter, const Query& query, std::uint32_t looked_at, Candidates& kept,
                     std::span<const std::uint8_t> reasons) {
  Unjudged all{filter.traits().id};
  all.of = looked_at;
  for (const std::uint32_t row : *kept.list_rows()) {
    if (reasons[row] == 0) continue;
    if (all.hosts++ == 0) all.first = filter.explain(query, row, reasons[row]);
  }
  return all;
}

void apply_filter(const Query& query, const Filter& filter, std::span<std::uint8_t> reasons, Screened& screened) {
  std::fill(reasons.begin(), reasons.end(), std::uint8_t{0});
  const Candidates before = screened.kept;
  const auto done = filter.screen(query, screened.kept, reasons);
  if (!done) {
    screened.kept = Candidates(before.rows());
    screened.degraded.push_back({filter.traits().id, done.error().message});
    std::fill(reasons.begin(), reasons.end(), std::uint8_t{0});
    return;
  }
  // A filter can only take away.
  const auto kept = std::as_const(screened.kept).words();
  for (std::size_t w = 0; w < kept.size(); ++w) {
    if (kept[w] & ~before.words()[w]) screened.kept.words()[w] &= before.words()[w];
  }
  if (*done > 0)
    screened.unjudged.push_back(
        unjudged_by(filter, query, static_cast<std::uint32_t>(before.count()), screened.kept, reasons));
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
