// Picture: an immutable, versioned view of the whole cluster, in columns (schema.h). A column is a sequence of chunks
// of 4,096 rows; a chunk is contiguous and 64-byte aligned in Apache Arrow's physical layout (values, validity bitmap,
// 32-bit offsets), in the arena's shared memory. Pictures share all chunks that did not change between them.
//
//   picture[hosts::memory_free_mib][row]            a value (undefined bits when invalid)
//   picture[hosts::cpu_util].valid(row)             was it ever measured?
//   picture.find_host("h7")                         row by name
//
// Rows are stable while a row lives; a removed row has alive = 0 and may be reused by a later addition. Nothing that
// reaches an answer depends on row numbers.
//
// Threads: a Picture never changes; any thread may read it while it holds a reference. PictureBuilder belongs to one
// thread; several builders may work at once (a what-if is a builder whose result nobody publishes).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/picture/arena.h"
#include "service/core/picture/row_index.h"
#include "service/core/picture/schema.h"

namespace emplace {

inline constexpr std::uint32_t kChunkRows = 4096;
inline constexpr std::uint32_t kNoRow = UINT32_MAX;

using Block = std::shared_ptr<const std::byte>;

// What a kSpanU64 row holds; `offset` counts bytes from the arena's first byte, so that it means the same in a worker.
struct SpanReference {
  std::uint64_t offset;
  std::uint64_t count;
};

// What keeps the values of a chunk's kSpanU64 rows alive, in groups of 64 rows. Copies share the groups, and a group
// without values takes no room.
class SpanBlocks {
 public:
  const Block& operator[](std::uint32_t i) const;  // null: row i has no value
  // Copies the row's group first, unless that was done under this number: one builder's (RowIndex has the like).
  void set(std::uint32_t i, Block block, std::uint64_t edit);

 private:
  static constexpr std::uint32_t kGroupRows = 64;
  struct Group {
    std::uint64_t edit = 0;
    std::array<Block, kGroupRows> blocks = {};
  };
  std::vector<std::shared_ptr<Group>> groups_;  // none until the first value
};

// Always kChunkRows rows: those at and beyond the table's row count are not alive and invalid.
struct Chunk {
  Block values;       // fixed width: rows x width; utf8: bytes; list: u32 values
  Block validity;     // 1 bit a row, least significant first; null: all valid
  Block offsets;      // utf8 and lists: rows + 1 u32
  Block observed_at;  // observed columns: i64 a row, microseconds since the epoch, 0 never
  SpanBlocks spans;   // kSpanU64
};

using ChunkedColumn = std::vector<std::shared_ptr<const Chunk>>;

inline bool bit(const std::byte* bits, std::uint32_t i) {
  return (std::to_integer<unsigned>(bits[i >> 3]) >> (i & 7)) & 1u;
}

namespace detail {
template <typename T>
struct ReadChunk {
  using value_type = T;
  static T get(const Chunk& chunk, std::uint32_t i, const std::byte*) {
    return reinterpret_cast<const T*>(chunk.values.get())[i];
  }
};
template <>
struct ReadChunk<Utf8> {
  using value_type = std::string_view;
  static std::string_view get(const Chunk& chunk, std::uint32_t i, const std::byte*) {
    const auto* offsets = reinterpret_cast<const std::uint32_t*>(chunk.offsets.get());
    return {reinterpret_cast<const char*>(chunk.values.get()) + offsets[i], offsets[i + 1] - offsets[i]};
  }
};
template <>
struct ReadChunk<ListU32> {
  using value_type = std::span<const std::uint32_t>;
  static value_type get(const Chunk& chunk, std::uint32_t i, const std::byte*) {
    const auto* offsets = reinterpret_cast<const std::uint32_t*>(chunk.offsets.get());
    return {reinterpret_cast<const std::uint32_t*>(chunk.values.get()) + offsets[i], offsets[i + 1] - offsets[i]};
  }
};
template <>
struct ReadChunk<SpanU64> {
  using value_type = std::span<const std::uint64_t>;
  static value_type get(const Chunk& chunk, std::uint32_t i, const std::byte* base) {
    const auto reference = reinterpret_cast<const SpanReference*>(chunk.values.get())[i];
    return {reinterpret_cast<const std::uint64_t*>(base + reference.offset), reference.count};
  }
};
}  // namespace detail

// A column of a picture as its reader sees it. Valid while the picture is.
template <typename T>
class ColumnView {
 public:
  using value_type = typename detail::ReadChunk<T>::value_type;
  ColumnView(const ChunkedColumn& chunks, const std::byte* base) : chunks_(&chunks), base_(base) {}

  value_type operator[](std::uint32_t row) const {
    return detail::ReadChunk<T>::get(*(*chunks_)[row / kChunkRows], row % kChunkRows, base_);
  }
  bool valid(std::uint32_t row) const {
    const Chunk& chunk = *(*chunks_)[row / kChunkRows];
    return !chunk.validity || bit(chunk.validity.get(), row % kChunkRows);
  }
  std::optional<value_type> get(std::uint32_t row) const {
    return valid(row) ? std::optional(operator[](row)) : std::nullopt;
  }
  std::int64_t observed_at_us(std::uint32_t row) const {
    const Chunk& chunk = *(*chunks_)[row / kChunkRows];
    return chunk.observed_at ? reinterpret_cast<const std::int64_t*>(chunk.observed_at.get())[row % kChunkRows] : 0;
  }
  std::size_t chunk_count() const { return chunks_->size(); }
  const Chunk& chunk(std::size_t i) const { return *(*chunks_)[i]; }
  // The values of a fixed-width chunk, kChunkRows of them.
  const T* values(std::size_t i) const { return reinterpret_cast<const T*>(chunk(i).values.get()); }

 private:
  const ChunkedColumn* chunks_;
  const std::byte* base_;
};

// Which index; the key is a text_key(), a row or a code, as the name says.
enum class Index : std::uint8_t {
  kStringsByText,
  kHostsByName,
  kHostsByRack,  // key: code
  kVmsById,      // key: Uuid::low()
  kVmsByName,
  kVmsByHost,         // key: row of hosts
  kVmsByGroup,        // key: row of groups
  kVmsBySpreadGroup,  // key: code
  kGroupsByName,
  kAggregatesByName,
  kHostsByAggregate,     // key: row of aggregates
  kTrafficByVm,          // key: row of vms, either end
  kTrafficByEnds,        // key: pair_key() of the rows of vms, the lesser first
  kDataSourcesByVm,      // key: row of vms
  kDataSourcesByEnds,    // key: pair_key() of the row of vms and the code
  kSourceHostsBySource,  // key: code
  kSourceHostsByHost,    // key: row of hosts
};
inline constexpr int kIndexCount = 17;

constexpr std::uint64_t pair_key(std::uint32_t a, std::uint32_t b) { return std::uint64_t{a} << 32 | b; }

// Where a picture stands in its replica's history and in the store's.
struct PictureVersion {
  std::string replica;
  std::uint64_t version = 0;   // counts publications of this replica
  std::int64_t event_seq = 0;  // last event of the store that is in it
  std::int64_t loads =
      0;  // how often the whole state had been loaded: across a load, events need not follow each other
};

class Picture {
 public:
  explicit Picture(std::shared_ptr<Arena> arena);  // empty, version 0

  template <typename T>
  ColumnView<T> operator[](Column<T> column) const {
    return {*columns_[column.index], base_};
  }
  const ChunkedColumn& column(int index) const { return *columns_[static_cast<std::size_t>(index)]; }
  std::uint32_t rows(Table table) const { return rows_[static_cast<std::size_t>(table)]; }  // with tombstones
  const RowIndex& index(Index which) const { return indices_[static_cast<std::size_t>(which)]; }

  // Rows by name; kNoRow when there is none.
  std::uint32_t find_host(std::string_view name) const;
  std::vector<std::uint32_t> find_hosts(std::span<const std::string> all) const;
  std::uint32_t find_vm(const Uuid& id) const;  // the vm itself, not a claim row
  std::uint32_t find_claim(const Uuid& vm, const Uuid& claim) const;
  std::uint32_t find_vm_by_name(std::string_view name) const;  // of several: the least id, expected vms last
  std::uint32_t find_group(std::string_view name) const;
  std::uint32_t find_aggregate(std::string_view name) const;
  std::uint32_t find_code(std::string_view text) const;  // of a string in the dictionary
  std::string_view text(std::uint32_t code) const;       // "" for kNoRow

  const PictureVersion& version() const { return version_; }
  std::uint64_t identity() const { return identity_; }  // unique in this process, also among what-ifs
  std::int64_t made_at_us() const { return made_at_us_; }
  const std::shared_ptr<Arena>& arena() const { return arena_; }

 private:
  friend class PictureBuilder;

  std::shared_ptr<Arena> arena_;
  const std::byte* base_;
  std::array<std::shared_ptr<const ChunkedColumn>, kColumnCount> columns_;
  std::array<std::uint32_t, kTableCount> rows_{};
  std::array<std::shared_ptr<const std::vector<std::uint32_t>>, kTableCount> free_rows_;
  std::array<RowIndex, kIndexCount> indices_;
  PictureVersion version_;
  std::uint64_t identity_ = 0;
  std::int64_t made_at_us_ = 0;
};

// Makes the next picture from one: copies only the chunks in which something changes; setting what is there already
// costs a look. Reads see what was written.
class PictureBuilder {
 public:
  explicit PictureBuilder(std::shared_ptr<const Picture> base);
  ~PictureBuilder();
  PictureBuilder(const PictureBuilder&) = delete;
  PictureBuilder& operator=(const PictureBuilder&) = delete;

  std::uint32_t add_row(Table table);                        // all values invalid; alive = 1
  std::uint32_t add_rows(Table table, std::uint32_t count);  // neighbours; the first
  void remove_row(Table table, std::uint32_t row);           // alive = 0, all values invalid; no-op when not alive

  // observed_at_us is kept for observed columns only.
  void set(Column<double> column, std::uint32_t row, double value, std::int64_t observed_at_us = 0);
  void set(Column<std::int64_t> column, std::uint32_t row, std::int64_t value);
  void set(Column<std::uint32_t> column, std::uint32_t row, std::uint32_t value);
  void set(Column<Uuid> column, std::uint32_t row, const Uuid& value);
  void set(Column<Utf8> column, std::uint32_t row, std::string_view value);
  void set(Column<ListU32> column, std::uint32_t row, std::span<const std::uint32_t> value);
  void set(Column<SpanU64> column, std::uint32_t row, std::span<const std::uint64_t> value,
           std::int64_t observed_at_us = 0);
  void copy(Column<SpanU64> column, std::uint32_t from, std::uint32_t to);  // with its time; the values are shared
  template <typename T>
  void clear(Column<T> column, std::uint32_t row) {
    clear_value(column.index, row);
  }

  template <typename T>
  std::optional<T> get(Column<T> column, std::uint32_t row) const;     // fixed-width types
  std::string get_text(Column<Utf8> column, std::uint32_t row) const;  // "" when invalid
  bool is_text(Column<Utf8> column, std::uint32_t row, std::string_view text) const;
  std::vector<std::uint32_t> get_list(Column<ListU32> column, std::uint32_t row) const;
  bool is_alive(Table table, std::uint32_t row) const;
  std::uint32_t rows(Table table) const;

  void index(Index which, std::uint64_t key, std::uint32_t row);
  void unindex(Index which, std::uint64_t key, std::uint32_t row);
  std::span<const RowIndex::Entry> find(Index which, std::uint64_t key) const;  // ends with the next edit of that index
  std::uint32_t code(std::string_view text);  // of a string; added to the dictionary when new

  // Values looked at so far: a measure of what changes cost that is the same on every machine.
  std::uint64_t looks() const { return looks_; }

  // The result; the builder is spent.
  std::shared_ptr<const Picture> finish(PictureVersion version, std::int64_t made_at_us);

 private:
  struct OpenChunk;
  struct Place;
  Place look(std::uint16_t column, std::uint32_t row) const;
  std::string_view bytes(std::uint16_t column, std::uint32_t row) const;
  OpenChunk& open(std::uint16_t column, std::uint32_t row);
  void clear_value(std::uint16_t column, std::uint32_t row);
  template <typename T>
  void set_fixed(std::uint16_t column, std::uint32_t row, const T& value, std::int64_t observed_at_us = 0);
  void set_bytes(std::uint16_t column, std::uint32_t row, std::string_view bytes);
  void set_alive(Table table, std::uint32_t row);
  std::vector<std::uint32_t>& free_rows(Table table);
  Chunk close(std::uint16_t column, OpenChunk& chunk) const;
  void close_column(std::uint16_t column);

  std::shared_ptr<Picture> next_;
  std::uint64_t edit_;  // of indices and spans: what this builder has copied it may write to again
  std::vector<std::vector<std::unique_ptr<OpenChunk>>> open_;  // per column and chunk: its copy, where there is one
  std::array<std::optional<std::vector<std::uint32_t>>, kTableCount> free_rows_;  // copies, where they change
  mutable std::uint64_t looks_ = 0;
};

// Where the one writer puts the newest picture and any thread takes it. Taking never waits: a reader announces itself
// in a slot, copies the reference and leaves; the writer only uses slots that nobody is in.
class PublishedPicture {
 public:
  explicit PublishedPicture(std::shared_ptr<const Picture> first);
  std::shared_ptr<const Picture> take() const;        // any thread, lock-free
  void publish(std::shared_ptr<const Picture> next);  // the writer's thread only

 private:
  struct alignas(64) Slot {
    std::atomic<std::uint32_t> readers{0};
    std::shared_ptr<const Picture> picture;
  };
  static constexpr std::size_t kSlots = 64;
  mutable std::array<Slot, kSlots> slots_;
  std::atomic<std::size_t> current_{0};
};

}  // namespace emplace
