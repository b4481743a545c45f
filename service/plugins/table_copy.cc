#include "service/plugins/table_copy.h"

#include <cstring>

#include "service/plugins/table_message.h"

namespace emplace {

TableCopy::TableCopy(const emplace_table* tables, std::uint32_t count, const unsigned char* base, Arena& arena)
    : base_(base), arena_(arena) {
  for (std::uint32_t t = 0; t < count; ++t) {
    const emplace_table& table = *emplace_table_at(tables, t);
    std::vector<emplace_column>& columns = columns_.emplace_back();
    for (std::uint32_t c = 0; c < table.column_count; ++c) columns.push_back(column(*emplace_column_at(&table, c)));
    tables_.push_back({sizeof(emplace_table), table.rows, table.name, table.column_count, 0, columns.data()});
  }
}

emplace_column TableCopy::column(const emplace_column& from) {
  std::vector<emplace_chunk>& chunks = chunks_.emplace_back();
  for (std::uint32_t i = 0; i < from.chunk_count; ++i) chunks.push_back(chunk(from.type, *emplace_chunk_at(&from, i)));
  return {sizeof(emplace_column), from.type,        from.name,        from.unit,
          from.refers_to,         from.chunk_shift, from.chunk_count, chunks.data()};
}

emplace_chunk TableCopy::chunk(std::uint32_t type, const emplace_chunk& from) {
  const std::size_t rows = from.rows;
  void* const values = copy(from.values, value_bytes(type, from));
  if (type == EMPLACE_SPAN_U64) copy_spans(from, values);
  return {sizeof(emplace_chunk),
          from.rows,
          values,
          static_cast<const std::uint8_t*>(copy(from.validity, (rows + 7) / 8)),
          static_cast<const std::uint32_t*>(copy(from.offsets, (rows + 1) * sizeof(std::uint32_t))),
          static_cast<const std::int64_t*>(copy(from.observed_at, rows * sizeof(std::int64_t)))};
}

void TableCopy::copy_spans(const emplace_chunk& from, void* values) {
  auto* const spans = static_cast<emplace_span*>(values);
  for (std::uint32_t row = 0; row < from.rows; ++row) {
    const bool valid = !from.validity || ((from.validity[row >> 3] >> (row & 7)) & 1u);
    const void* const values_copy = valid ? copy(base_ + spans[row].offset, spans[row].count * 8) : nullptr;
    spans[row].offset = values_copy ? arena_.offset_of(static_cast<const std::byte*>(values_copy)) : 0;
    if (!valid) spans[row].count = 0;
  }
}

void* TableCopy::copy(const void* from, std::size_t bytes) {
  if (!from) return nullptr;
  const auto& block = blocks_.emplace_back(arena_.allocate(bytes));
  std::memcpy(block.get(), from, bytes);
  return block.get();
}

}  // namespace emplace
