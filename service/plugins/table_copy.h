// TableCopy: tables (plugin.h) copied into an arena with all that their values lead to. A worker maps one arena of
// pictures and its annex; what lies elsewhere (the picture of a request that brings its own hosts) is copied into the
// annex, since no descriptor can reach a confined worker. Work: in proportion to the columns that the plugin reads.
//
// Threads: immutable once made. Throws std::bad_alloc when the arena is full.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "api/plugin/emplace/plugin.h"
#include "service/core/picture/arena.h"

namespace emplace {

class TableCopy {
 public:
  // `base`: what the offsets of spans count from in `tables`; in the copy they count from the arena's first byte.
  TableCopy(const emplace_table* tables, std::uint32_t count, const unsigned char* base, Arena& arena);
  TableCopy(const TableCopy&) = delete;
  TableCopy& operator=(const TableCopy&) = delete;

  const emplace_table* data() const { return tables_.data(); }
  std::uint32_t count() const { return static_cast<std::uint32_t>(tables_.size()); }

 private:
  emplace_column column(const emplace_column& from);
  emplace_chunk chunk(std::uint32_t type, const emplace_chunk& from);
  void copy_spans(const emplace_chunk& from, void* values);
  void* copy(const void* from, std::size_t bytes);

  const unsigned char* const base_;
  Arena& arena_;
  std::vector<std::shared_ptr<std::byte>> blocks_;
  std::deque<std::vector<emplace_chunk>> chunks_;
  std::deque<std::vector<emplace_column>> columns_;
  std::vector<emplace_table> tables_;
};

}  // namespace emplace
