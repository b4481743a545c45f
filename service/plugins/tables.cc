#include "service/plugins/tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "service/plugins/request_schema.h"

namespace emplace {
namespace {

static_assert(sizeof(SpanReference) == sizeof(emplace_span));

constexpr std::uint32_t kChunkShift = 12;
static_assert(kChunkRows == 1u << kChunkShift);

std::uint32_t abi_type(Type type) {
  switch (type) {
    case Type::kF64:
      return EMPLACE_F64;
    case Type::kI64:
      return EMPLACE_I64;
    case Type::kU32:
      return EMPLACE_U32;
    case Type::kU8:
      return EMPLACE_U8;
    case Type::kUuid:
      return EMPLACE_UUID;
    case Type::kUtf8:
      return EMPLACE_UTF8;
    case Type::kListU32:
      return EMPLACE_LIST_U32;
    case Type::kSpanU64:
      return EMPLACE_SPAN_U64;
  }
  return 0;
}

// Which table a column of rows or codes leads to.
const char* refers_to(const ColumnSchema& schema) {
  if (schema.unit == "code") return "strings";
  if (schema.unit != "row") return nullptr;
  if (schema.name == "host") return "hosts";
  if (schema.name == "group") return "groups";
  if (schema.name == "aggregates") return "aggregates";
  if (schema.name == "first_cell") return "numa_cells";
  return "vms";
}

int find_picture_column(std::string_view table, std::string_view column) {
  const auto schemas = column_schemas();
  const auto at = std::ranges::find_if(
      schemas, [&](const ColumnSchema& schema) { return schema.name == column && table_name(schema.table) == table; });
  return at == schemas.end() ? -1 : static_cast<int>(at - schemas.begin());
}

template <typename Tables, typename Key>
auto& entry_of(Tables& tables, Key key) {
  const auto at = std::ranges::find_if(tables, [&](const auto& entry) { return entry.table == key; });
  if (at != tables.end()) return *at;
  tables.push_back({key, {}});
  return tables.back();
}

void add_once(std::vector<int>& columns, int column) {
  if (std::ranges::find(columns, column) == columns.end()) columns.push_back(column);
}

std::vector<emplace_chunk> chunks_of(const Picture& picture, int index, std::uint32_t rows) {
  std::vector<emplace_chunk> chunks;
  const ChunkedColumn& column = picture.column(index);
  for (std::uint32_t first = 0; first < rows; first += kChunkRows) {
    const Chunk& chunk = *column[first >> kChunkShift];
    chunks.push_back({sizeof(emplace_chunk), std::min(kChunkRows, rows - first), chunk.values.get(),
                      reinterpret_cast<const std::uint8_t*>(chunk.validity.get()),
                      reinterpret_cast<const std::uint32_t*>(chunk.offsets.get()),
                      reinterpret_cast<const std::int64_t*>(chunk.observed_at.get())});
  }
  return chunks;
}

}  // namespace

// ---- TableLayout

Result<TableLayout> TableLayout::make(std::span<const std::string> columns) {
  TableLayout layout;
  for (const std::string& name : columns) {
    if (const auto added = layout.add(name); !added) return tl::unexpected(added.error());
  }
  return layout;
}

Result<void> TableLayout::add(std::string_view name) {
  const std::size_t dot = name.find('.');
  const std::string_view table = name.substr(0, dot);
  const std::string_view column = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
  if (const int index = find_picture_column(table, column); index >= 0) {
    add_once(entry_of(picture_, column_schemas()[static_cast<std::size_t>(index)].table).columns, index);
    return {};
  }
  if (const auto found = find_request_column(table, column)) {
    add_once(entry_of(request_, found->table).columns, found->column);
    return {};
  }
  return fail(ErrorCode::kInvalid,
              fmt::format("wanted a column of the picture or the request as \"table.column\", found \"{}\"", name));
}

Result<TableLayout::Place> TableLayout::place_of(std::string_view name) const {
  for (std::size_t table = 0; table < picture_.size(); ++table) {
    for (std::size_t column = 0; column < picture_[table].columns.size(); ++column) {
      const int index = picture_[table].columns[column];
      const ColumnSchema& schema = column_schemas()[static_cast<std::size_t>(index)];
      if (name == fmt::format("{}.{}", table_name(schema.table), schema.name)) {
        return Place{static_cast<std::uint32_t>(table), static_cast<std::uint32_t>(column), index};
      }
    }
  }
  return fail(ErrorCode::kInvalid, fmt::format("wanted a column of the picture, found \"{}\"", name));
}

// ---- PictureTables

PictureTables::PictureTables(const TableLayout& layout, std::shared_ptr<const Picture> picture, std::uint64_t identity)
    : picture_(std::move(picture)) {
  for (const auto& [table, indices] : layout.picture()) {
    std::vector<emplace_column>& columns = columns_.emplace_back();
    for (const int index : indices) columns.push_back(column(index, picture_->rows(table)));
    // Names of tables are literals, so that they end with NUL.
    tables_.push_back({sizeof(emplace_table), picture_->rows(table), table_name(table).data(),
                       static_cast<std::uint32_t>(columns.size()), 0, columns.data()});
  }
  view_ = {sizeof(emplace_view),
           static_cast<std::uint32_t>(tables_.size()),
           tables_.data(),
           identity,
           picture_->version().version,
           picture_->made_at_us(),
           reinterpret_cast<const unsigned char*>(picture_->arena()->base())};
}

emplace_column PictureTables::column(int index, std::uint32_t rows) {
  const ColumnSchema& schema = column_schemas()[static_cast<std::size_t>(index)];
  const auto& chunks = chunks_.emplace_back(chunks_of(*picture_, index, rows));
  return {sizeof(emplace_column),
          abi_type(schema.type),
          schema.name.data(),
          schema.unit.data(),
          refers_to(schema),
          kChunkShift,
          static_cast<std::uint32_t>(chunks.size()),
          chunks.data()};
}

// ---- RequestTables

RequestTables::RequestTables(const TableLayout& layout, const Query& query) {
  for (const auto& [table, columns] : layout.request()) {
    LocalTable& local = *locals_.emplace_back(std::make_unique<LocalTable>(request_table_name(table)));
    for (const int column : columns) fill_request_column(table, column, query, local);
    tables_.push_back(local.seal());
  }
}

std::shared_ptr<const RequestTables> tables_of(const TableLayout& layout, const Query& query) {
  struct Kept {
    std::shared_ptr<const void> query;
    const TableLayout* layout = nullptr;
    std::shared_ptr<const RequestTables> tables = {};
  };
  thread_local Kept kept;
  if (!query.identity || kept.query != query.identity || kept.layout != &layout) {
    kept = {query.identity, &layout, std::make_shared<const RequestTables>(layout, query)};
  }
  return kept.tables;
}

}  // namespace emplace
