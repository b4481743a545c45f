// The steps of apply(), one for each kind of change, and what they have in common. Private to change.cc and
// change_vms.cc.
//
// A step leaves the picture as if it had been made afresh from all rows as they now are: the same uses, cells, holders
// of names and indices, to the bit, in whatever order the changes came.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "service/core/change/change.h"

namespace emplace::steps {

std::uint32_t find_named(const PictureBuilder& picture, Index which, Column<Utf8> column, std::string_view name);
// The present rows of a key, as a copy that lasts while the index is edited.
std::vector<std::uint32_t> rows_of(const PictureBuilder& picture, Index which, std::uint64_t key);

// The code of a text; an empty text is no value.
std::optional<std::uint32_t> code_of(PictureBuilder& picture, std::string_view text);
void set_or_clear(PictureBuilder& picture, Column<std::uint32_t> column, std::uint32_t row,
                  std::optional<std::uint32_t> value);
// Likewise for a column whose values are the keys of an index.
void set_key(PictureBuilder& picture, Index which, Column<std::uint32_t> column, std::uint32_t row,
             std::optional<std::uint32_t> value);

// Works out anew what the vms on a host leave free of its cells.
void update_cells(PictureBuilder& picture, std::uint32_t host);
// Works out capacity - used anew.
void update_free(PictureBuilder& picture, std::uint32_t host);

void apply_row(PictureBuilder& picture, const HostRow& row);
void apply_row(PictureBuilder& picture, const GroupRow& row);
void apply_row(PictureBuilder& picture, const AggregateRow& row);
void apply_row(PictureBuilder& picture, const SourceHostsRow& row);
void apply_row(PictureBuilder& picture, const HostRemoved& removed);
void apply_row(PictureBuilder& picture, const GroupRemoved& removed);
void apply_row(PictureBuilder& picture, const AggregateRemoved& removed);

void apply_row(PictureBuilder& picture, const VmRow& row);
void apply_row(PictureBuilder& picture, const VmRemoved& removed);
void apply_row(PictureBuilder& picture, const TrafficRow& row);
void apply_row(PictureBuilder& picture, const DataSourceRow& row);
void apply_row(PictureBuilder& picture, const PageSampleRow& row);

}  // namespace emplace::steps
