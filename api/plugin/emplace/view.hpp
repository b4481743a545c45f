// What a C++ plugin sees: columns with types, tables, pictures and calls, on top of the structs of plugin.h. These are
// cheap to make and to copy; they point into what the host handed over and are valid as long as that is.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "emplace/plugin.h"

namespace emplace::plugin {

using Error = std::runtime_error;
using Uuid = std::array<std::uint8_t, 16>;

namespace detail {
template <typename T>
struct Read {  // values of a fixed width
  static T get(const emplace_chunk& chunk, std::uint32_t i, const unsigned char*) {
    return static_cast<const T*>(chunk.values)[i];
  }
};
template <>
struct Read<std::string_view> {
  static std::string_view get(const emplace_chunk& chunk, std::uint32_t i, const unsigned char*) {
    return {static_cast<const char*>(chunk.values) + chunk.offsets[i], chunk.offsets[i + 1] - chunk.offsets[i]};
  }
};
template <>
struct Read<std::span<const std::uint32_t>> {
  static std::span<const std::uint32_t> get(const emplace_chunk& chunk, std::uint32_t i, const unsigned char*) {
    return {static_cast<const std::uint32_t*>(chunk.values) + chunk.offsets[i],
            chunk.offsets[i + 1] - chunk.offsets[i]};
  }
};
template <>
struct Read<std::span<const std::uint64_t>> {
  static std::span<const std::uint64_t> get(const emplace_chunk& chunk, std::uint32_t i, const unsigned char* base) {
    const auto span = static_cast<const emplace_span*>(chunk.values)[i];
    return {reinterpret_cast<const std::uint64_t*>(base + span.offset), static_cast<std::size_t>(span.count)};
  }
};

template <typename T>
inline constexpr std::uint32_t kType = 0;
template <>
inline constexpr std::uint32_t kType<double> = EMPLACE_F64;
template <>
inline constexpr std::uint32_t kType<std::int64_t> = EMPLACE_I64;
template <>
inline constexpr std::uint32_t kType<std::uint32_t> = EMPLACE_U32;
template <>
inline constexpr std::uint32_t kType<std::uint8_t> = EMPLACE_U8;
template <>
inline constexpr std::uint32_t kType<Uuid> = EMPLACE_UUID;
template <>
inline constexpr std::uint32_t kType<std::string_view> = EMPLACE_UTF8;
template <>
inline constexpr std::uint32_t kType<std::span<const std::uint32_t>> = EMPLACE_LIST_U32;
template <>
inline constexpr std::uint32_t kType<std::span<const std::uint64_t>> = EMPLACE_SPAN_U64;
}  // namespace detail

// A column of values of type T: double, int64_t, uint32_t, uint8_t, Uuid, string_view, span<const uint32_t> or
// span<const uint64_t>. get() gives nothing for an invalid value and for a row that the table does not have; [] looks
// at neither.
template <typename T>
class Column {
 public:
  Column(const emplace_column& column, std::uint32_t rows, const unsigned char* base)
      : first_(reinterpret_cast<const unsigned char*>(column.chunks)),
        stride_(column.chunk_count ? column.chunks->size : 0),
        shift_(column.chunk_shift),
        rows_(rows),
        base_(base) {}

  T operator[](std::uint32_t row) const { return detail::Read<T>::get(chunk(row), within(row), base_); }
  bool valid(std::uint32_t row) const {
    if (row >= rows_) return false;
    const auto* bits = chunk(row).validity;
    const std::uint32_t i = within(row);
    return !bits || ((bits[i >> 3] >> (i & 7)) & 1);
  }
  std::optional<T> get(std::uint32_t row) const {
    return valid(row) ? std::optional<T>(operator[](row)) : std::nullopt;
  }
  std::int64_t observed_at_us(std::uint32_t row) const {
    const auto* times = chunk(row).observed_at;
    return times ? times[within(row)] : 0;
  }
  std::uint32_t rows() const { return rows_; }
  // For loops over neighbours: the values of the rows from `row` to the end of its chunk, valid or not (types of a
  // fixed width), and where their validity starts, for a row that is a multiple of 8 (null: all of the chunk are
  // valid).
  const T* values_from(std::uint32_t row) const { return static_cast<const T*>(chunk(row).values) + within(row); }
  const unsigned char* validity_from(std::uint32_t row) const {
    const auto* bits = chunk(row).validity;
    return bits ? bits + (within(row) >> 3) : nullptr;
  }

 private:
  const emplace_chunk& chunk(std::uint32_t row) const {
    return *reinterpret_cast<const emplace_chunk*>(first_ + std::size_t{row >> shift_} * stride_);
  }
  std::uint32_t within(std::uint32_t row) const { return row & ((std::uint32_t{1} << shift_) - 1); }

  const unsigned char* first_;
  std::size_t stride_;
  std::uint32_t shift_;
  std::uint32_t rows_;
  const unsigned char* base_;
};

class Table {
 public:
  Table(const emplace_table& table, const unsigned char* base) : table_(&table), base_(base) {}

  std::uint32_t rows() const { return table_->rows; }
  std::string_view name() const { return table_->name; }
  // Throws when the manifest does not name the column, or it holds something else than T.
  template <typename T>
  Column<T> column(std::string_view wanted) const {
    for (std::uint32_t i = 0; i < table_->column_count; ++i) {
      const auto* column = emplace_column_at(table_, i);
      if (wanted == column->name && column->type == detail::kType<T>) return {*column, table_->rows, base_};
    }
    throw Error("no column " + std::string(table_->name) + "." + std::string(wanted) + " of the wanted type");
  }

 private:
  const emplace_table* table_;
  const unsigned char* base_;
};

namespace detail {
inline Table find_table(const emplace_table* tables, std::uint32_t count, std::string_view name,
                        const unsigned char* base) {
  for (std::uint32_t i = 0; i < count; ++i) {
    if (name == emplace_table_at(tables, i)->name) return {*emplace_table_at(tables, i), base};
  }
  throw Error("no table " + std::string(name) + ": the manifest names none of its columns");
}
}  // namespace detail

// A picture.
class View {
 public:
  explicit View(const emplace_view& view) : view_(&view) {}

  Table table(std::string_view name) const {
    return detail::find_table(view_->tables, view_->table_count, name, view_->memory_base);
  }
  template <typename T>
  Column<T> column(std::string_view table_name, std::string_view name) const {
    return table(table_name).column<T>(name);
  }
  std::uint64_t identity() const { return view_->identity; }
  const emplace_view& raw() const { return *view_; }

 private:
  const emplace_view* view_;
};

// One question about one request: see emplace_call.
class Call {
 public:
  explicit Call(const emplace_call& call) : call_(&call) {}

  View picture() const { return View(*call_->picture); }
  Table request(std::string_view table = "request") const {
    return detail::find_table(call_->request_tables, call_->request_table_count, table, call_->picture->memory_base);
  }
  std::span<const std::uint32_t> candidates() const { return {call_->candidates, call_->candidate_count}; }
  std::string_view document() const { return {call_->document, static_cast<std::size_t>(call_->document_bytes)}; }
  std::string_view nova_spec() const { return {call_->nova_spec, static_cast<std::size_t>(call_->nova_spec_bytes)}; }
  std::int64_t now_us() const { return call_->now_us; }
  std::int64_t deadline_us() const { return call_->deadline_us; }

 private:
  const emplace_call* call_;
};

}  // namespace emplace::plugin
