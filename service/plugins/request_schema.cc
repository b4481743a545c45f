#include "service/plugins/request_schema.h"

#include <span>

namespace emplace {
namespace {

struct ColumnOf {
  const char* name;
  std::uint32_t type;
  const char* unit;
  const char* refers_to;
  void (*fill)(const Query&, LocalTable&);
};

std::optional<std::uint32_t> row_or_none(std::uint32_t row) {
  return row == kNoRow ? std::nullopt : std::optional(row);
}

void add_text(LocalTable& table, const std::string& text) {
  table.add_text(text.empty() ? std::nullopt : std::optional<std::string_view>(text));
}

// A value of the vm itself, when the picture knows it.
template <typename T>
std::optional<typename ColumnView<T>::value_type> known(const Query& query, Column<T> column) {
  return query.vm_row == kNoRow ? std::nullopt : query.picture[column].get(query.vm_row);
}

void add_sample(const Query& query, LocalTable& table) {
  const auto values = known(query, vms::page_samples);
  if (!values) return table.add(std::optional<emplace_span>());
  const std::byte* base = query.picture.arena()->base();
  const auto* first = reinterpret_cast<const std::byte*>(values->data());
  table.add(std::optional(emplace_span{static_cast<std::uint64_t>(first - base), values->size()}),
            query.picture[vms::page_samples].observed_at_us(query.vm_row));
}

void add_source_hosts(const Query& query, LocalTable& table, bool hosts) {
  const auto sources = query.picture[source_hosts::source];
  const auto copies = query.picture[source_hosts::host];
  for (const DataSource& wanted : query.data_sources) {
    for (const auto& entry : query.picture.index(Index::kSourceHostsBySource).find(wanted.source)) {
      if (sources.get(entry.row) != wanted.source || !copies.valid(entry.row)) continue;
      table.add(std::optional(hosts ? copies[entry.row] : wanted.source));
    }
  }
}

// clang-format off
constexpr ColumnOf kRequest[] = {
    {"id", EMPLACE_UUID, "", nullptr, [](const Query& q, LocalTable& t) {
       t.add(q.vm.id.is_zero() ? std::nullopt : std::optional(q.vm.id)); }},
    {"name", EMPLACE_UTF8, "", nullptr, [](const Query& q, LocalTable& t) { add_text(t, q.vm.name); }},
    {"vcpus", EMPLACE_F64, "vCPU", nullptr, [](const Query& q, LocalTable& t) { t.add(std::optional(q.vm.vcpus)); }},
    {"memory_mib", EMPLACE_F64, "MiB", nullptr, [](const Query& q, LocalTable& t) { t.add(std::optional(q.vm.memory_mib)); }},
    {"disk_gib", EMPLACE_F64, "GiB", nullptr, [](const Query& q, LocalTable& t) { t.add(std::optional(q.vm.disk_gib)); }},
    {"numa_nodes", EMPLACE_U32, "", nullptr, [](const Query& q, LocalTable& t) { t.add(std::optional(q.vm.numa_nodes)); }},
    {"project", EMPLACE_UTF8, "", nullptr, [](const Query& q, LocalTable& t) { add_text(t, q.vm.project); }},
    {"zone", EMPLACE_UTF8, "", nullptr, [](const Query& q, LocalTable& t) { add_text(t, q.vm.zone); }},
    {"zone_code", EMPLACE_U32, "code", "strings", [](const Query& q, LocalTable& t) { t.add(row_or_none(q.zone_code)); }},
    {"group", EMPLACE_UTF8, "", nullptr, [](const Query& q, LocalTable& t) { add_text(t, q.vm.group); }},
    {"group_row", EMPLACE_U32, "row", "groups", [](const Query& q, LocalTable& t) { t.add(row_or_none(q.group_row)); }},
    {"image", EMPLACE_UTF8, "", nullptr, [](const Query& q, LocalTable& t) { add_text(t, q.vm.image); }},
    {"flavor", EMPLACE_UTF8, "", nullptr, [](const Query& q, LocalTable& t) { add_text(t, q.vm.flavor); }},
    {"vm", EMPLACE_U32, "row", "vms", [](const Query& q, LocalTable& t) { t.add(row_or_none(q.vm_row)); }},
    {"host", EMPLACE_U32, "row", "hosts", [](const Query& q, LocalTable& t) { t.add(known(q, vms::host)); }},
    {"pages", EMPLACE_F64, "pages", nullptr, [](const Query& q, LocalTable& t) { t.add(known(q, vms::pages)); }},
    {"zero_pages", EMPLACE_F64, "pages", nullptr, [](const Query& q, LocalTable& t) { t.add(known(q, vms::zero_pages)); }},
    {"distinct_pages", EMPLACE_F64, "pages", nullptr, [](const Query& q, LocalTable& t) { t.add(known(q, vms::distinct_pages)); }},
    {"sample_rate", EMPLACE_I64, "", nullptr, [](const Query& q, LocalTable& t) { t.add(known(q, vms::sample_rate)); }},
    {"page_samples", EMPLACE_SPAN_U64, "", nullptr, add_sample},
};

constexpr ColumnOf kMembers[] = {
    {"host", EMPLACE_U32, "row", "hosts", [](const Query& q, LocalTable& t) {
       for (const HostCount& member : q.members) t.add(std::optional(member.host)); }},
    {"count", EMPLACE_U32, "", nullptr, [](const Query& q, LocalTable& t) {
       for (const HostCount& member : q.members) t.add(std::optional(member.count)); }},
};

constexpr ColumnOf kPeers[] = {
    {"vm", EMPLACE_U32, "row", "vms", [](const Query& q, LocalTable& t) {
       for (const Peer& peer : q.peers) t.add(std::optional(peer.vm)); }},
    {"host", EMPLACE_U32, "row", "hosts", [](const Query& q, LocalTable& t) {
       for (const Peer& peer : q.peers) t.add(row_or_none(peer.host)); }},
    {"bytes_per_s", EMPLACE_F64, "B/s", nullptr, [](const Query& q, LocalTable& t) {
       for (const Peer& peer : q.peers) t.add(std::optional(peer.bytes_per_s)); }},
};

constexpr ColumnOf kDataSources[] = {
    {"source", EMPLACE_U32, "code", "strings", [](const Query& q, LocalTable& t) {
       for (const DataSource& source : q.data_sources) t.add(std::optional(source.source)); }},
    {"bytes_per_s", EMPLACE_F64, "B/s", nullptr, [](const Query& q, LocalTable& t) {
       for (const DataSource& source : q.data_sources) t.add(std::optional(source.bytes_per_s)); }},
};

constexpr ColumnOf kSourceHosts[] = {
    {"source", EMPLACE_U32, "code", "strings", [](const Query& q, LocalTable& t) { add_source_hosts(q, t, false); }},
    {"host", EMPLACE_U32, "row", "hosts", [](const Query& q, LocalTable& t) { add_source_hosts(q, t, true); }},
};
// clang-format on

struct TableOf {
  const char* name;
  std::span<const ColumnOf> columns;
};

constexpr TableOf kTables[] = {
    {"request", kRequest},
    {"request_members", kMembers},
    {"request_peers", kPeers},
    {"request_data_sources", kDataSources},
    {"request_source_hosts", kSourceHosts},
};

}  // namespace

std::optional<RequestColumn> find_request_column(std::string_view table, std::string_view column) {
  for (std::size_t t = 0; t < std::size(kTables); ++t) {
    if (table != kTables[t].name) continue;
    for (std::size_t c = 0; c < kTables[t].columns.size(); ++c) {
      if (column == kTables[t].columns[c].name) return RequestColumn{static_cast<int>(t), static_cast<int>(c)};
    }
  }
  return std::nullopt;
}

const char* request_table_name(int table) { return kTables[table].name; }

void fill_request_column(int table, int column, const Query& query, LocalTable& local) {
  const ColumnOf& wanted = kTables[table].columns[static_cast<std::size_t>(column)];
  local.add_column(wanted.name, wanted.type, wanted.unit, wanted.refers_to);
  wanted.fill(query, local);
}

}  // namespace emplace
