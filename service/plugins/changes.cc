#include "service/plugins/changes.h"

#include <algorithm>
#include <cstring>

namespace emplace {
namespace {

struct TypeWidths {
  std::size_t value;  // bytes of a value, or of an element where there are offsets
  bool offsets;
};

TypeWidths widths_of(Type type) {
  switch (type) {
    case Type::kU8:
      return {1, false};
    case Type::kU32:
      return {4, false};
    case Type::kF64:
    case Type::kI64:
      return {8, false};
    case Type::kUuid:
    case Type::kSpanU64:
      return {16, false};
    case Type::kUtf8:
      return {1, true};
    case Type::kListU32:
      return {4, true};
  }
  return {0, false};
}

bool is_valid(const Chunk& chunk, std::uint32_t i) { return !chunk.validity || bit(chunk.validity.get(), i); }

std::string_view value_of(const Chunk& chunk, std::uint32_t i, TypeWidths widths) {
  const auto* values = reinterpret_cast<const char*>(chunk.values.get());
  if (!widths.offsets) return {values + i * widths.value, widths.value};
  const auto* offsets = reinterpret_cast<const std::uint32_t*>(chunk.offsets.get());
  return {values + offsets[i] * widths.value, (offsets[i + 1] - offsets[i]) * widths.value};
}

std::int64_t observed_at(const Chunk& chunk, std::uint32_t i) {
  return chunk.observed_at ? reinterpret_cast<const std::int64_t*>(chunk.observed_at.get())[i] : 0;
}

bool same_row(const Chunk& a, const Chunk& b, std::uint32_t i, TypeWidths widths) {
  if (is_valid(a, i) != is_valid(b, i)) return false;
  return !is_valid(a, i) ||
         (observed_at(a, i) == observed_at(b, i) && value_of(a, i, widths) == value_of(b, i, widths));
}

const ColumnSchema& schema_of(int column) { return column_schemas()[static_cast<std::size_t>(column)]; }

const Chunk* chunk_at(const Picture& picture, int column, std::size_t i) {
  const ChunkedColumn& chunks = picture.column(column);
  return i < chunks.size() ? chunks[i].get() : nullptr;
}

}  // namespace

std::vector<std::uint32_t> changed_rows(const Picture& before, const Picture& after, int column) {
  std::vector<std::uint32_t> rows;
  if (&before.column(column) == &after.column(column)) return rows;
  const Table table = schema_of(column).table;
  const TypeWidths widths = widths_of(schema_of(column).type);
  const std::uint32_t end = std::max(before.rows(table), after.rows(table));
  const std::uint32_t both = std::min(before.rows(table), after.rows(table));
  for (std::uint32_t first = 0; first < end; first += kChunkRows) {
    const Chunk* a = chunk_at(before, column, first / kChunkRows);
    const Chunk* b = chunk_at(after, column, first / kChunkRows);
    if (a == b && first + kChunkRows <= both) continue;
    for (std::uint32_t i = 0; i < std::min(kChunkRows, end - first); ++i) {
      if (first + i >= both || (a != b && !same_row(*a, *b, i, widths))) rows.push_back(first + i);
    }
  }
  return rows;
}

std::size_t changed_chunks(const Picture& before, const Picture& after, int column) {
  const ChunkedColumn& a = before.column(column);
  const ChunkedColumn& b = after.column(column);
  if (&a == &b) return 0;
  std::size_t changed = std::max(a.size(), b.size()) - std::min(a.size(), b.size());
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) changed += a[i] != b[i];
  return changed;
}

}  // namespace emplace
