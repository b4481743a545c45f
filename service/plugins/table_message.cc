#include "service/plugins/table_message.h"

namespace emplace {
namespace {

constexpr std::string_view kNoName = "\x01";  // no table or column is called so: stands for a null

void write_values(MessageWriter& writer, const void* values, std::size_t bytes, const unsigned char* base) {
  if (!base) return writer.array(values, bytes);
  // A difference of addresses: an arena is one mapping.
  writer.number(values ? static_cast<std::uint64_t>(static_cast<const unsigned char*>(values) - base)
                       : MessageWriter::kNull);
}

void write_chunk(MessageWriter& writer, std::uint32_t type, const emplace_chunk& chunk, const unsigned char* base) {
  const std::size_t rows = chunk.rows;
  writer.number(rows);
  write_values(writer, chunk.values, base ? 0 : value_bytes(type, chunk), base);
  write_values(writer, chunk.validity, (rows + 7) / 8, base);
  write_values(writer, chunk.offsets, (rows + 1) * sizeof(std::uint32_t), base);
  write_values(writer, chunk.observed_at, rows * sizeof(std::int64_t), base);
}

void write_column(MessageWriter& writer, const emplace_column& column, const unsigned char* base) {
  writer.number(column.type);
  writer.text(column.name);
  writer.text(column.unit);
  writer.text(column.refers_to ? column.refers_to : kNoName);
  writer.number(column.chunk_shift);
  writer.number(column.chunk_count);
  for (std::uint32_t i = 0; i < column.chunk_count; ++i) {
    write_chunk(writer, column.type, *emplace_chunk_at(&column, i), base);
  }
}

}  // namespace

std::size_t value_bytes(std::uint32_t type, const emplace_chunk& chunk) {
  switch (type) {
    case EMPLACE_U8:
      return chunk.rows;
    case EMPLACE_U32:
      return std::size_t{chunk.rows} * 4;
    case EMPLACE_F64:
    case EMPLACE_I64:
      return std::size_t{chunk.rows} * 8;
    case EMPLACE_UUID:
    case EMPLACE_SPAN_U64:
      return std::size_t{chunk.rows} * 16;
    case EMPLACE_UTF8:
      return chunk.offsets[chunk.rows];
    case EMPLACE_LIST_U32:
      return std::size_t{chunk.offsets[chunk.rows]} * 4;
  }
  return 0;
}

void write_tables(MessageWriter& writer, const emplace_table* tables, std::uint32_t count, const unsigned char* base) {
  writer.number(count);
  for (std::uint32_t t = 0; t < count; ++t) {
    const emplace_table& table = *emplace_table_at(tables, t);
    writer.text(table.name);
    writer.number(table.rows);
    writer.number(table.column_count);
    for (std::uint32_t c = 0; c < table.column_count; ++c) write_column(writer, *emplace_column_at(&table, c), base);
  }
}

ReceivedTables::ReceivedTables(MessageReader& reader, const unsigned char* base) : base_(base) {
  const std::uint32_t count = reader.small();
  for (std::uint32_t i = 0; i < count && reader.complete(); ++i) tables_.push_back(table(reader));
}

emplace_table ReceivedTables::table(MessageReader& reader) {
  const char* const table_name = name(reader);
  const std::uint32_t rows = reader.small(), count = reader.small();
  std::vector<emplace_column>& columns = columns_.emplace_back();
  for (std::uint32_t i = 0; i < count && reader.complete(); ++i) columns.push_back(column(reader));
  return {sizeof(emplace_table), rows, table_name, static_cast<std::uint32_t>(columns.size()), 0, columns.data()};
}

emplace_column ReceivedTables::column(MessageReader& reader) {
  emplace_column made{};
  made.size = sizeof made;
  made.type = reader.small();
  made.name = name(reader);
  made.unit = name(reader);
  made.refers_to = name(reader);
  if (made.refers_to == kNoName) made.refers_to = nullptr;
  made.chunk_shift = reader.small();
  const std::uint32_t count = reader.small();
  std::vector<emplace_chunk>& chunks = chunks_.emplace_back();
  for (std::uint32_t i = 0; i < count && reader.complete(); ++i) chunks.push_back(chunk(reader));
  made.chunk_count = static_cast<std::uint32_t>(chunks.size());
  made.chunks = chunks.data();
  return made;
}

emplace_chunk ReceivedTables::chunk(MessageReader& reader) const {
  emplace_chunk made{};
  made.size = sizeof made;
  made.rows = reader.small();
  made.values = values<unsigned char>(reader);
  made.validity = values<std::uint8_t>(reader);
  made.offsets = values<std::uint32_t>(reader);
  made.observed_at = values<std::int64_t>(reader);
  return made;
}

const char* ReceivedTables::name(MessageReader& reader) {
  const std::string_view text = reader.text();
  return base_ ? names_.emplace_back(text).c_str() : text.data();
}

template <typename T>
const T* ReceivedTables::values(MessageReader& reader) const {
  if (!base_) return reinterpret_cast<const T*>(reader.array().data());
  const std::uint64_t offset = reader.number();
  return offset == MessageWriter::kNull ? nullptr : reinterpret_cast<const T*>(base_ + offset);
}

}  // namespace emplace
