#include <algorithm>
#include <tuple>

#include "service/core/base/base64.h"
#include "service/core/base/time_text.h"
#include "service/core/change/inventory_json.h"

namespace emplace {
namespace {

void write_names(JsonWriter& writer, std::string_view key, const std::vector<std::string>& names) {
  writer.key(key).open_list();
  for (const std::string& name : names) writer.text(name);
  writer.close_list();
}

void write_spread(JsonWriter& writer, const Spread& spread) {
  if (spread.by == SpreadBy::kNone) return;
  writer.key("spread").open();
  writer.text("by", to_string(spread.by)).text("group", spread.group).text("domain", spread.domain);
  writer.close();
}

void write_observed(JsonWriter& writer, const HostRow& host) {
  if (!host.cpu_util && !host.memory_used_observed_mib && !host.power_watts) return;
  writer.key("observed").open();
  if (host.cpu_util) writer.number("cpu_util", *host.cpu_util);
  if (host.memory_used_observed_mib) writer.number("memory_used_mib", *host.memory_used_observed_mib);
  if (host.power_watts) writer.number("power_watts", *host.power_watts);
  writer.text("observed_at", time_text(host.observed_at_us)).close();
}

void write_cells(JsonWriter& writer, const HostRow& host) {
  writer.key("numa").open_list();
  for (const CellRow& cell : host.cells) {
    writer.open().number("vcpus", cell.vcpus).number("memory_mib", cell.memory_mib).close();
  }
  writer.close_list();
}

void write_row(JsonWriter& writer, const HostRow& host) {
  writer.open().text("name", host.name);
  writer.number("vcpus", host.vcpus).number("memory_mib", host.memory_mib).number("disk_gib", host.disk_gib);
  writer.number("reserved_vcpus", host.vcpus_reserved).number("reserved_memory_mib", host.memory_reserved_mib);
  writer.number("reserved_disk_gib", host.disk_reserved_gib);
  writer.number("cpu_allocation_ratio", host.cpu_allocation_ratio);
  writer.number("ram_allocation_ratio", host.ram_allocation_ratio);
  writer.number("disk_allocation_ratio", host.disk_allocation_ratio);
  writer.text_or_null("zone", host.zone).text_or_null("rack", host.rack);
  write_names(writer, "aggregates", host.aggregates);
  write_names(writer, "traits", host.traits);
  writer.text("state", to_string(host.state));
  write_cells(writer, host);
  write_observed(writer, host);
  if (!host.nova_state.empty()) writer.key("nova_state").raw(host.nova_state);
  writer.close();
}

void write_row(JsonWriter& writer, const AggregateRow& aggregate) {
  writer.open().text("name", aggregate.name).key("metadata").open();
  for (const auto& [key, value] : aggregate.metadata) writer.text(key, value);
  writer.close().close();
}

void write_row(JsonWriter& writer, const GroupRow& group) {
  writer.open().text("name", group.name).text("policy", to_string(group.policy));
  writer.number("max_per_host", group.max_per_host).close();
}

void write_row(JsonWriter& writer, const VmRow& vm) {
  writer.open().text("name", vm.name).text("id", to_string(vm.id)).text_or_null("host", vm.host);
  writer.text("state", to_string(vm.state));
  writer.number("vcpus", vm.vcpus).number("memory_mib", vm.memory_mib).number("disk_gib", vm.disk_gib);
  writer.text_or_null("project", vm.project).text_or_null("group", vm.group);
  writer.whole("numa_nodes", vm.numa_nodes).key("cells").open_list();
  for (const std::uint32_t cell : vm.cells) writer.whole(cell);
  writer.close_list();
  write_spread(writer, vm.spread);
  writer.close();
}

void write_time(JsonWriter& writer, std::int64_t observed_at_us) {
  writer.text("observed_at", time_text(observed_at_us)).close();
}

void write_row(JsonWriter& writer, const TrafficRow& edge) {
  writer.open().text("a", edge.a).text("b", edge.b).number("bytes_per_s", edge.bytes_per_s);
  write_time(writer, edge.observed_at_us);
}

void write_row(JsonWriter& writer, const DataSourceRow& edge) {
  writer.open().text("vm", edge.vm).text("source", edge.source).number("bytes_per_s", edge.bytes_per_s);
  write_time(writer, edge.observed_at_us);
}

void write_row(JsonWriter& writer, const SourceHostsRow& row) {
  writer.open().text("source", row.source);
  write_names(writer, "hosts", row.hosts);
  writer.close();
}

std::string hashes_text(const std::vector<std::uint64_t>& hashes) {
  std::string bytes;
  bytes.reserve(hashes.size() * sizeof(std::uint64_t));
  for (const std::uint64_t hash : hashes) {
    for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(hash >> shift & 0xff);
  }
  return base64_encode(bytes);
}

void write_row(JsonWriter& writer, const PageSampleRow& sample) {
  writer.open().text("vm", sample.vm).number("pages", sample.pages).number("zero_pages", sample.zero_pages);
  writer.number("distinct_pages", sample.distinct_pages).whole("rate", sample.rate);
  writer.text("hashes", hashes_text(sample.hashes));
  write_time(writer, sample.observed_at_us);
}

// What orders the rows of a list: row numbers differ between pictures that say the same.
auto order(const HostRow& row) { return std::tuple(row.name); }
auto order(const AggregateRow& row) { return std::tuple(row.name); }
auto order(const GroupRow& row) { return std::tuple(row.name); }
auto order(const VmRow& row) { return std::tuple(row.name, row.id); }
auto order(const TrafficRow& row) { return std::tuple(row.a, row.b); }
auto order(const DataSourceRow& row) { return std::tuple(row.vm, row.source); }
auto order(const SourceHostsRow& row) { return std::tuple(row.source); }
auto order(const PageSampleRow& row) { return std::tuple(row.vm); }

bool is_exported(const VmRow& row) { return !row.claim; }  // a promise is not a vm yet
template <typename Row>
bool is_exported(const Row&) {
  return true;
}

template <typename Row>
void write_list(JsonWriter& writer, std::string_view name, const std::vector<Change>& changes) {
  std::vector<const Row*> rows;
  for (const Change& change : changes) {
    const Row* row = std::get_if<Row>(&change);
    if (row && is_exported(*row)) rows.push_back(row);
  }
  std::sort(rows.begin(), rows.end(), [](const Row* a, const Row* b) { return order(*a) < order(*b); });
  writer.key(name).open_list();
  for (const Row* row : rows) write_row(writer, *row);
  writer.close_list();
}

}  // namespace

namespace {

// What no import says.
HostRow said_of(HostRow host) {
  host.source = "static";
  host.generation = 0;
  host.cpu_util = host.memory_used_observed_mib = host.power_watts = std::nullopt;
  host.observed_at_us = 0;
  return host;
}

VmRow said_of(VmRow vm) {
  vm.source = "static";
  vm.failure.clear();
  vm.vcpus_max = vm.memory_max_mib = 0;
  return vm;
}

template <typename Row>
bool says(const Row& known, const Row& row) {
  return known.source != "static" && to_json(Change(said_of(known))) == to_json(Change(said_of(row)));
}

}  // namespace

bool repeats(const Picture& picture, const HostRow& host) {
  const std::uint32_t row = picture.find_host(host.name);
  return row != kNoRow && says(host_row(picture, row), host);
}

bool repeats(const Picture& picture, const VmRow& vm) {
  const std::uint32_t row = vm.id.is_zero() ? picture.find_vm_by_name(vm.name) : picture.find_vm(vm.id);
  if (row == kNoRow) return false;
  VmRow wanted = vm;
  const VmRow known = vm_row(picture, row);
  if (wanted.id.is_zero()) wanted.id = known.id;
  return says(known, wanted);
}

std::string inventory_json(const Picture& picture) {
  const std::vector<Change> changes = changes_of(picture);
  JsonWriter writer;
  writer.open();
  write_list<AggregateRow>(writer, "aggregates", changes);
  write_list<HostRow>(writer, "hosts", changes);
  write_list<GroupRow>(writer, "groups", changes);
  write_list<VmRow>(writer, "vms", changes);
  write_list<TrafficRow>(writer, "traffic", changes);
  write_list<DataSourceRow>(writer, "data_sources", changes);
  write_list<SourceHostsRow>(writer, "source_hosts", changes);
  write_list<PageSampleRow>(writer, "page_samples", changes);
  writer.close();
  return writer.take();
}

}  // namespace emplace
