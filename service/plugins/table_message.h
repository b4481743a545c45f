// How tables (plugin.h) travel to a worker. Names and numbers lie in the message; the values either too (a request's
// tables) or, as the worker maps the memory that they are in, as offsets from its first byte (a picture's).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "api/plugin/emplace/plugin.h"
#include "service/plugins/message.h"

namespace emplace {

// Bytes of a chunk's values.
std::size_t value_bytes(std::uint32_t type, const emplace_chunk& chunk);

// `base`: of the memory that the values lie in; null: they travel in the message.
void write_tables(MessageWriter& writer, const emplace_table* tables, std::uint32_t count, const unsigned char* base);

// The other side. With a base, nothing of it points into the message afterwards.
class ReceivedTables {
 public:
  ReceivedTables(MessageReader& reader, const unsigned char* base);
  ReceivedTables(const ReceivedTables&) = delete;
  ReceivedTables& operator=(const ReceivedTables&) = delete;

  const emplace_table* data() const { return tables_.data(); }
  std::uint32_t count() const { return static_cast<std::uint32_t>(tables_.size()); }

 private:
  emplace_table table(MessageReader& reader);
  emplace_column column(MessageReader& reader);
  emplace_chunk chunk(MessageReader& reader) const;
  const char* name(MessageReader& reader);
  template <typename T>
  const T* values(MessageReader& reader) const;

  const unsigned char* const base_;
  std::deque<std::string> names_;
  std::deque<std::vector<emplace_chunk>> chunks_;
  std::deque<std::vector<emplace_column>> columns_;
  std::vector<emplace_table> tables_;
};

}  // namespace emplace
