#include "service/plugins/local_table.h"

namespace emplace {

void LocalTable::add_column(const char* name, std::uint32_t type, const char* unit, const char* refers_to) {
  Values& added = values_.emplace_back();
  added.column = {sizeof(emplace_column), type, name, unit, refers_to, 31, 1, nullptr};
  if (type == EMPLACE_UTF8) added.offsets.push_back(0);
}

void LocalTable::append(Values& column, const void* value, std::size_t size) {
  if (size == 0) return;
  column.bytes.resize((column.used + size + 7) / 8);
  std::memcpy(reinterpret_cast<char*>(column.bytes.data()) + column.used, value, size);
  column.used += size;
}

void LocalTable::end_row(Values& column, bool valid, std::int64_t observed_at_us) {
  const std::uint32_t row = column.rows++;
  if (row / 8 >= column.validity.size()) column.validity.push_back(0);
  if (valid) column.validity[row / 8] = static_cast<std::uint8_t>(column.validity[row / 8] | (1u << (row % 8)));
  if (observed_at_us == 0) return;
  column.observed_at.resize(column.rows);
  column.observed_at.back() = observed_at_us;
}

void LocalTable::add_text(std::optional<std::string_view> value) {
  Values& column = values_.back();
  append(column, value ? value->data() : nullptr, value ? value->size() : 0);
  column.offsets.push_back(static_cast<std::uint32_t>(column.used));
  end_row(column, value.has_value(), 0);
}

const emplace_table& LocalTable::seal() {
  chunks_.reserve(values_.size());  // columns point at them
  columns_.reserve(values_.size());
  for (Values& values : values_) {
    if (!values.observed_at.empty()) values.observed_at.resize(values.rows);
    // A table without rows has chunks whose pointers are still good to form.
    if (values.bytes.empty()) values.bytes.resize(1);
    chunks_.push_back({sizeof(emplace_chunk), values.rows, values.bytes.data(), values.validity.data(),
                       values.offsets.empty() ? nullptr : values.offsets.data(),
                       values.observed_at.empty() ? nullptr : values.observed_at.data()});
    values.column.chunks = &chunks_.back();
    columns_.push_back(values.column);
  }
  table_ = {sizeof(emplace_table),
            values_.empty() ? 0 : values_.front().rows,
            name_,
            static_cast<std::uint32_t>(columns_.size()),
            0,
            columns_.data()};
  return table_;
}

}  // namespace emplace
