#include <algorithm>
#include <cstring>
#include <map>

#include "service/core/picture/picture.h"

namespace emplace {
namespace {

constexpr std::size_t kValidityBytes = kChunkRows / 8;
constexpr std::size_t kOffsetBytes = (kChunkRows + 1) * sizeof(std::uint32_t);

// Bytes of one value; for utf8 and lists, of one element.
constexpr std::size_t width(Type type) {
  switch (type) {
    case Type::kU8:
    case Type::kUtf8:
      return 1;
    case Type::kU32:
    case Type::kListU32:
      return 4;
    case Type::kF64:
    case Type::kI64:
      return 8;
    case Type::kUuid:
    case Type::kSpanU64:
      return 16;
  }
  return 0;
}

constexpr bool has_offsets(Type type) { return type == Type::kUtf8 || type == Type::kListU32; }

const ColumnSchema& schema_of(std::uint16_t column) { return column_schemas()[column]; }

Column<std::uint8_t> alive_of(Table table) { return {columns_of(table).first}; }

void write_bit(std::byte* bits, std::uint32_t i, bool value) {
  const auto mask = static_cast<std::byte>(1u << (i & 7));
  bits[i >> 3] = value ? bits[i >> 3] | mask : bits[i >> 3] & ~mask;
}

template <typename T>
T read(const std::byte* values, std::uint32_t i) {
  T value;
  std::memcpy(&value, values + i * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
void write(std::byte* values, std::uint32_t i, const T& value) {
  std::memcpy(values + i * sizeof(T), &value, sizeof(T));
}

// memcpy may not be given the null pointers of empty spans.
void copy_bytes(std::byte* to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

template <typename T>
std::string_view as_bytes(std::span<const T> values) {
  return values.empty() ? std::string_view()
                        : std::string_view(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

// The bytes of rows first .. last - 1 of a chunk with offsets.
std::string_view bytes_of(const Chunk& chunk, std::uint32_t first, std::uint32_t last, std::size_t element) {
  const std::size_t from = read<std::uint32_t>(chunk.offsets.get(), first) * element;
  const std::size_t to = read<std::uint32_t>(chunk.offsets.get(), last) * element;
  return {reinterpret_cast<const char*>(chunk.values.get()) + from, to - from};
}

std::shared_ptr<std::byte> copy_or_zero(Arena& arena, const std::byte* from, std::size_t bytes) {
  auto block = arena.allocate(bytes);
  if (from != nullptr) {
    std::memcpy(block.get(), from, bytes);
  } else {
    std::memset(block.get(), 0, bytes);
  }
  return block;
}

Chunk empty_chunk(Arena& arena, const ColumnSchema& schema) {
  Chunk chunk;
  const bool offsets = has_offsets(schema.type);
  chunk.values = copy_or_zero(arena, nullptr, offsets ? 1 : kChunkRows * width(schema.type));
  chunk.validity = copy_or_zero(arena, nullptr, kValidityBytes);
  if (offsets) chunk.offsets = copy_or_zero(arena, nullptr, kOffsetBytes);
  if (schema.observed) chunk.observed_at = copy_or_zero(arena, nullptr, kChunkRows * sizeof(std::int64_t));
  return chunk;
}

}  // namespace

const Block& SpanBlocks::operator[](std::uint32_t i) const {
  static const Block none;
  const Group* group = groups_.empty() ? nullptr : groups_[i / kGroupRows].get();
  return group ? group->blocks[i % kGroupRows] : none;
}

void SpanBlocks::set(std::uint32_t i, Block block, std::uint64_t edit) {
  if (groups_.empty()) groups_.resize(kChunkRows / kGroupRows);
  auto& group = groups_[i / kGroupRows];
  if (!group || group->edit != edit) group = group ? std::make_shared<Group>(*group) : std::make_shared<Group>();
  group->edit = edit;
  group->blocks[i % kGroupRows] = std::move(block);
}

// A chunk being written: fixed-width parts are copied once and then written in place, variable-width rows are kept as
// edits and laid out again when the chunk is closed.
struct PictureBuilder::OpenChunk {
  const Chunk* base = nullptr;  // what it was copied from, if anything
  std::shared_ptr<std::byte> values, validity, observed_at;
  std::map<std::uint32_t, std::string> edits = {};
  SpanBlocks spans = {};
};

// Where a value is at the moment: in a chunk being written, in a published one, or nowhere yet (all null).
struct PictureBuilder::Place {
  const OpenChunk* open = nullptr;
  const Chunk* base = nullptr;
  std::uint32_t i = 0;  // row of the chunk

  bool valid() const { return open ? bit(open->validity.get(), i) : base != nullptr && bit(base->validity.get(), i); }
  const std::byte* values() const { return open ? open->values.get() : base->values.get(); }
  std::int64_t observed_at_us() const {
    const std::byte* times = open ? open->observed_at.get() : base->observed_at.get();
    return times ? read<std::int64_t>(times, i) : 0;
  }
};

PictureBuilder::PictureBuilder(std::shared_ptr<const Picture> base)
    : next_(std::make_shared<Picture>(*base)), edit_(base->arena_->next_identity()), open_(kColumnCount) {}

PictureBuilder::~PictureBuilder() = default;

PictureBuilder::Place PictureBuilder::look(std::uint16_t column, std::uint32_t row) const {
  ++looks_;
  const std::uint32_t number = row / kChunkRows;
  const auto& opened = open_[column];
  const ChunkedColumn& published = *next_->columns_[column];
  return {number < opened.size() ? opened[number].get() : nullptr,
          number < published.size() ? published[number].get() : nullptr, row % kChunkRows};
}

PictureBuilder::OpenChunk& PictureBuilder::open(std::uint16_t column, std::uint32_t row) {
  const std::uint32_t number = row / kChunkRows;
  if (open_[column].size() <= number) open_[column].resize(number + 1);
  auto& slot = open_[column][number];
  if (slot) return *slot;
  const ColumnSchema& schema = schema_of(column);
  const Chunk* base = look(column, row).base;
  Arena& arena = *next_->arena_;
  auto chunk = std::make_unique<OpenChunk>();
  chunk->base = base;
  if (!has_offsets(schema.type)) {
    chunk->values = copy_or_zero(arena, base ? base->values.get() : nullptr, kChunkRows * width(schema.type));
  }
  chunk->validity = copy_or_zero(arena, base ? base->validity.get() : nullptr, kValidityBytes);
  if (schema.observed) {
    chunk->observed_at =
        copy_or_zero(arena, base ? base->observed_at.get() : nullptr, kChunkRows * sizeof(std::int64_t));
  }
  if (base) chunk->spans = base->spans;
  slot = std::move(chunk);
  return *slot;
}

template <typename T>
void PictureBuilder::set_fixed(std::uint16_t column, std::uint32_t row, const T& value, std::int64_t observed_at_us) {
  const Place now = look(column, row);
  if (!schema_of(column).observed) observed_at_us = 0;
  if (now.valid() && std::memcmp(now.values() + now.i * sizeof(T), &value, sizeof(T)) == 0 &&
      now.observed_at_us() == observed_at_us) {
    return;
  }
  OpenChunk& chunk = open(column, row);
  write(chunk.values.get(), now.i, value);
  write_bit(chunk.validity.get(), now.i, true);
  if (chunk.observed_at) write(chunk.observed_at.get(), now.i, observed_at_us);
}

std::string_view PictureBuilder::bytes(std::uint16_t column, std::uint32_t row) const {
  const Place now = look(column, row);
  if (!now.valid()) return {};
  if (now.open != nullptr) {
    const auto edit = now.open->edits.find(now.i);
    if (edit != now.open->edits.end()) return edit->second;
  }
  return bytes_of(*now.base, now.i, now.i + 1, width(schema_of(column).type));
}

void PictureBuilder::set_bytes(std::uint16_t column, std::uint32_t row, std::string_view value) {
  if (look(column, row).valid() && bytes(column, row) == value) return;
  OpenChunk& chunk = open(column, row);
  chunk.edits[row % kChunkRows] = std::string(value);
  write_bit(chunk.validity.get(), row % kChunkRows, true);
}

void PictureBuilder::clear_value(std::uint16_t column, std::uint32_t row) {
  const Place now = look(column, row);
  if (!now.valid()) return;
  OpenChunk& chunk = open(column, row);
  write_bit(chunk.validity.get(), now.i, false);
  const ColumnSchema& schema = schema_of(column);
  if (schema.observed) write(chunk.observed_at.get(), now.i, std::int64_t{0});
  if (has_offsets(schema.type)) chunk.edits[now.i].clear();
  if (schema.type == Type::kSpanU64) {
    chunk.spans.set(now.i, nullptr, edit_);
    write(chunk.values.get(), now.i, SpanReference{0, 0});
  }
}

std::vector<std::uint32_t>& PictureBuilder::free_rows(Table table) {
  const auto i = static_cast<std::size_t>(table);
  if (!free_rows_[i]) free_rows_[i] = *next_->free_rows_[i];
  return *free_rows_[i];
}

void PictureBuilder::set_alive(Table table, std::uint32_t row) {
  set_fixed(alive_of(table).index, row, std::uint8_t{1});
}

std::uint32_t PictureBuilder::add_row(Table table) {
  auto& free = free_rows(table);
  std::uint32_t row = 0;
  if (free.empty()) {
    row = next_->rows_[static_cast<std::size_t>(table)]++;
  } else {
    row = free.back();
    free.pop_back();
  }
  set_alive(table, row);
  return row;
}

std::uint32_t PictureBuilder::add_rows(Table table, std::uint32_t count) {
  auto& free = free_rows(table);
  if (!std::is_sorted(free.begin(), free.end())) std::sort(free.begin(), free.end());
  std::uint32_t first = rows(table);
  for (std::size_t end = count; end <= free.size(); ++end) {
    if (count == 0 || free[end - 1] - free[end - count] != count - 1) continue;
    first = free[end - count];
    const auto at = free.begin() + static_cast<std::ptrdiff_t>(end);
    free.erase(at - static_cast<std::ptrdiff_t>(count), at);
    break;
  }
  if (first == rows(table)) next_->rows_[static_cast<std::size_t>(table)] += count;
  for (std::uint32_t i = 0; i < count; ++i) set_alive(table, first + i);
  return first;
}

void PictureBuilder::remove_row(Table table, std::uint32_t row) {
  if (!is_alive(table, row)) return;
  const ColumnRange range = columns_of(table);
  set_fixed(range.first, row, std::uint8_t{0});
  for (auto column = static_cast<std::uint16_t>(range.first + 1); column < range.end; ++column) {
    clear_value(column, row);
  }
  free_rows(table).push_back(row);
}

void PictureBuilder::set(Column<double> column, std::uint32_t row, double value, std::int64_t observed_at_us) {
  set_fixed(column.index, row, value, observed_at_us);
}
void PictureBuilder::set(Column<std::int64_t> column, std::uint32_t row, std::int64_t value) {
  set_fixed(column.index, row, value);
}
void PictureBuilder::set(Column<std::uint32_t> column, std::uint32_t row, std::uint32_t value) {
  set_fixed(column.index, row, value);
}
void PictureBuilder::set(Column<Uuid> column, std::uint32_t row, const Uuid& value) {
  set_fixed(column.index, row, value);
}
void PictureBuilder::set(Column<Utf8> column, std::uint32_t row, std::string_view value) {
  set_bytes(column.index, row, value);
}
void PictureBuilder::set(Column<ListU32> column, std::uint32_t row, std::span<const std::uint32_t> value) {
  set_bytes(column.index, row, as_bytes(value));
}
void PictureBuilder::set(Column<SpanU64> column, std::uint32_t row, std::span<const std::uint64_t> value,
                         std::int64_t observed_at_us) {
  Arena& arena = *next_->arena_;
  auto block = arena.allocate(value.size_bytes());
  copy_bytes(block.get(), value.data(), value.size_bytes());
  set_fixed(column.index, row, SpanReference{arena.offset_of(block.get()), value.size()}, observed_at_us);
  open(column.index, row).spans.set(row % kChunkRows, std::move(block), edit_);
}

void PictureBuilder::copy(Column<SpanU64> column, std::uint32_t from, std::uint32_t to) {
  const Place source = look(column.index, from);
  if (!source.valid()) return clear_value(column.index, to);
  const Block block = source.open ? source.open->spans[source.i] : source.base->spans[source.i];
  set_fixed(column.index, to, read<SpanReference>(source.values(), source.i), source.observed_at_us());
  open(column.index, to).spans.set(to % kChunkRows, block, edit_);
}

template <typename T>
std::optional<T> PictureBuilder::get(Column<T> column, std::uint32_t row) const {
  const Place now = look(column.index, row);
  return now.valid() ? std::optional(read<T>(now.values(), now.i)) : std::nullopt;
}
template std::optional<double> PictureBuilder::get(Column<double>, std::uint32_t) const;
template std::optional<std::int64_t> PictureBuilder::get(Column<std::int64_t>, std::uint32_t) const;
template std::optional<std::uint32_t> PictureBuilder::get(Column<std::uint32_t>, std::uint32_t) const;
template std::optional<std::uint8_t> PictureBuilder::get(Column<std::uint8_t>, std::uint32_t) const;
template std::optional<Uuid> PictureBuilder::get(Column<Uuid>, std::uint32_t) const;

std::string PictureBuilder::get_text(Column<Utf8> column, std::uint32_t row) const {
  return std::string(bytes(column.index, row));
}

bool PictureBuilder::is_text(Column<Utf8> column, std::uint32_t row, std::string_view text) const {
  return look(column.index, row).valid() && bytes(column.index, row) == text;
}

std::vector<std::uint32_t> PictureBuilder::get_list(Column<ListU32> column, std::uint32_t row) const {
  const std::string_view from = bytes(column.index, row);
  std::vector<std::uint32_t> values(from.size() / sizeof(std::uint32_t));
  copy_bytes(reinterpret_cast<std::byte*>(values.data()), from.data(), from.size());
  return values;
}

std::uint32_t PictureBuilder::rows(Table table) const { return next_->rows(table); }

bool PictureBuilder::is_alive(Table table, std::uint32_t row) const {
  return row < rows(table) && get(alive_of(table), row) == 1;
}

void PictureBuilder::index(Index which, std::uint64_t key, std::uint32_t row) {
  next_->indices_[static_cast<std::size_t>(which)].insert(key, row, edit_);
}
void PictureBuilder::unindex(Index which, std::uint64_t key, std::uint32_t row) {
  next_->indices_[static_cast<std::size_t>(which)].erase(key, row, edit_);
}
std::span<const RowIndex::Entry> PictureBuilder::find(Index which, std::uint64_t key) const {
  return next_->index(which).find(key);
}

std::uint32_t PictureBuilder::code(std::string_view text) {
  const std::uint64_t key = text_key(text);
  for (const auto& entry : find(Index::kStringsByText, key)) {
    if (is_text(strings::text, entry.row, text)) return entry.row;
  }
  const std::uint32_t row = add_row(Table::kStrings);
  set(strings::text, row, text);
  index(Index::kStringsByText, key, row);
  return row;
}

Chunk PictureBuilder::close(std::uint16_t column, OpenChunk& open_chunk) const {
  const std::size_t element = width(schema_of(column).type);
  Chunk chunk{open_chunk.values, open_chunk.validity, {}, open_chunk.observed_at, std::move(open_chunk.spans)};
  if (!has_offsets(schema_of(column).type)) return chunk;

  const Chunk* base = open_chunk.base;
  std::size_t bytes = base ? read<std::uint32_t>(base->offsets.get(), kChunkRows) * element : 0;
  for (const auto& [row, text] : open_chunk.edits) {
    bytes += text.size() - (base ? bytes_of(*base, row, row + 1, element).size() : 0);
  }
  const auto values = next_->arena_->allocate(bytes);
  const auto offsets = next_->arena_->allocate(kOffsetBytes);
  std::size_t at = 0;
  const auto append = [&](std::string_view text) {
    copy_bytes(values.get() + at, text.data(), text.size());
    at += text.size();
  };
  // The run of unchanged rows before each edit is copied at once, its offsets shifted.
  const auto append_run = [&](std::uint32_t first, std::uint32_t last) {
    const auto start = static_cast<std::uint32_t>(at / element);
    const auto shift = base ? start - read<std::uint32_t>(base->offsets.get(), first) : start;
    for (std::uint32_t row = first; row < last; ++row) {
      write(offsets.get(), row, (base ? read<std::uint32_t>(base->offsets.get(), row) : 0) + shift);
    }
    if (base) append(bytes_of(*base, first, last, element));
  };
  std::uint32_t next = 0;
  for (const auto& [row, text] : open_chunk.edits) {
    append_run(next, row);
    write(offsets.get(), row, static_cast<std::uint32_t>(at / element));
    append(text);
    next = row + 1;
  }
  append_run(next, kChunkRows);
  write(offsets.get(), kChunkRows, static_cast<std::uint32_t>(at / element));
  chunk.values = values;
  chunk.offsets = offsets;
  return chunk;
}

void PictureBuilder::close_column(std::uint16_t column) {
  const std::uint32_t rows = next_->rows(schema_of(column).table);
  const std::size_t wanted = (rows + kChunkRows - 1) / kChunkRows;
  if (open_[column].empty() && next_->columns_[column]->size() == wanted) return;
  auto chunks = std::make_shared<ChunkedColumn>(*next_->columns_[column]);
  if (chunks->size() < wanted) {
    // Chunks that nobody wrote to are all the same empty one.
    const auto empty = std::make_shared<const Chunk>(empty_chunk(*next_->arena_, schema_of(column)));
    chunks->resize(wanted, empty);
  }
  for (std::size_t number = 0; number < open_[column].size(); ++number) {
    auto& chunk = open_[column][number];
    if (chunk) (*chunks)[number] = std::make_shared<const Chunk>(close(column, *chunk));
  }
  next_->columns_[column] = std::move(chunks);
}

std::shared_ptr<const Picture> PictureBuilder::finish(PictureVersion version, std::int64_t made_at_us) {
  for (std::uint16_t column = 0; column < kColumnCount; ++column) close_column(column);
  for (std::size_t i = 0; i < kTableCount; ++i) {
    if (!free_rows_[i] || *free_rows_[i] == *next_->free_rows_[i]) continue;
    next_->free_rows_[i] = std::make_shared<const std::vector<std::uint32_t>>(std::move(*free_rows_[i]));
  }
  next_->version_ = std::move(version);
  next_->made_at_us_ = made_at_us;
  next_->identity_ = next_->arena_->next_identity();
  return std::move(next_);
}

}  // namespace emplace
