#include "service/core/change/inventory_json.h"

#include <algorithm>
#include <map>
#include <set>

#include "service/core/base/base64.h"
#include "service/core/base/time_text.h"
#include "service/core/change/nova_state.h"

namespace emplace {
namespace {

constexpr Range kRatio{0.0001, 1000};
constexpr Range kRate{0, 1e15};
constexpr Range kShare{0, 1};
constexpr Range kMembers{1, 1e6};
constexpr std::size_t kMostCells = 63;  // a vm's cells are bits of one word

// Where the rows of one import are read to, and when they count as observed.
struct Reading {
  std::int64_t now_us = 0;
  const Picture* known = nullptr;
  JsonErrors errors = {};
  std::vector<Change> changes = {};
};

void read_cells(JsonFields& fields, HostRow& host, JsonErrors& errors) {
  if (!fields.has("numa")) return void(fields.value("numa"));
  host.cells.clear();
  fields.each("numa", [&](JsonValue item, const std::string& path) {
    JsonFields cell(item, path, errors);
    CellRow row;
    cell.require("vcpus");
    cell.require("memory_mib");
    cell.number("vcpus", row.vcpus);
    cell.number("memory_mib", row.memory_mib);
    cell.refuse_unknown();
    host.cells.push_back(row);
  });
}

void check_cells(const JsonFields& fields, const HostRow& host, JsonErrors& errors) {
  if (host.cells.empty()) return;
  double vcpus = 0, memory_mib = 0;
  for (const CellRow& cell : host.cells) {
    vcpus += cell.vcpus;
    memory_mib += cell.memory_mib;
  }
  const std::string path = fields.path_of("numa");
  if (host.cells.size() > kMostCells)
    errors.add(path + ": wanted at most 63 cells, found " + std::to_string(host.cells.size()));
  if (vcpus != host.vcpus) {
    errors.add(path + ": wanted cells that sum to the host's " + json_number(host.vcpus) + " vcpus, found " +
               json_number(vcpus));
  }
  if (memory_mib != host.memory_mib) {
    errors.add(path + ": wanted cells that sum to the host's " + json_number(host.memory_mib) +
               " MiB of memory, found " + json_number(memory_mib));
  }
}

void read_time(JsonFields& fields, std::int64_t& at_us) {
  const auto value = fields.value("observed_at");
  if (!value) return;
  const auto at = value->is_text() ? parse_time(value->text()) : std::nullopt;
  if (!at) return fields.wanted("observed_at", "a time such as 2026-11-21T10:00:00Z", *value);
  at_us = *at;
}

void read_observed(JsonFields& fields, HostRow& host, std::int64_t now_us, JsonErrors& errors) {
  const auto value = fields.value("observed");
  if (!value || value->is_null()) return;
  JsonFields observed(*value, fields.path_of("observed"), errors);
  host.observed_at_us = now_us;
  observed.number("cpu_util", host.cpu_util, kShare);
  observed.number("memory_used_mib", host.memory_used_observed_mib);
  observed.number("power_watts", host.power_watts, {0, 1e6});
  read_time(observed, host.observed_at_us);
  observed.refuse_unknown();
}

void read_amounts(JsonFields& fields, HostRow& host) {
  fields.number("vcpus", host.vcpus);
  fields.number("memory_mib", host.memory_mib);
  fields.number("disk_gib", host.disk_gib);
  fields.number("reserved_vcpus", host.vcpus_reserved);
  fields.number("reserved_memory_mib", host.memory_reserved_mib);
  fields.number("reserved_disk_gib", host.disk_reserved_gib);
  fields.number("cpu_allocation_ratio", host.cpu_allocation_ratio, kRatio);
  fields.number("ram_allocation_ratio", host.ram_allocation_ratio, kRatio);
  fields.number("disk_allocation_ratio", host.disk_allocation_ratio, kRatio);
}

void check_reserved(const JsonFields& fields, const HostRow& host, JsonErrors& errors) {
  const auto check = [&](std::string_view field, double reserved, double total) {
    if (reserved <= total) return;
    errors.add(fields.path_of(field) + ": wanted at most the host's " + json_number(total) + ", found " +
               json_number(reserved));
  };
  check("reserved_vcpus", host.vcpus_reserved, host.vcpus);
  check("reserved_memory_mib", host.memory_reserved_mib, host.memory_mib);
  check("reserved_disk_gib", host.disk_reserved_gib, host.disk_gib);
}

// `host` holds what the fields that are not named keep.
void read_host(JsonFields& fields, HostRow& host, std::int64_t now_us, JsonErrors& errors) {
  read_amounts(fields, host);
  fields.name_or_null("zone", host.zone);
  fields.name_or_null("rack", host.rack);
  fields.choice("state", host.state, "enabled, disabled, maintenance, down", &parse_host_state);
  fields.names("aggregates", host.aggregates);
  fields.names("traits", host.traits);
  read_cells(fields, host, errors);
  read_observed(fields, host, now_us, errors);
  if (fields.has("nova_state")) {
    const JsonValue state = *fields.value("nova_state");
    if (!state.is_object()) fields.wanted("nova_state", "an object", state);
    host.nova_state = to_json(state);
    if (host.nova_state.size() > kMostNovaState)
      errors.add(fields.path_of("nova_state") + ": wanted at most 4 MiB of JSON");
  }
  fields.value("nova_state");
}

void check_host(const JsonFields& fields, const HostRow& host, JsonErrors& errors) {
  if (!errors.none()) return;
  check_cells(fields, host, errors);
  check_reserved(fields, host, errors);
}

void read_vm_row(JsonFields& fields, VmRow& vm, JsonErrors& errors) {
  fields.require("vcpus");
  fields.require("memory_mib");
  fields.uuid("id", vm.id);
  fields.name_or_null("host", vm.host);
  fields.whole("vcpus", vm.vcpus);
  fields.whole("memory_mib", vm.memory_mib);
  fields.number("disk_gib", vm.disk_gib);
  fields.name_or_null("project", vm.project);
  fields.name_or_null("group", vm.group);
  fields.whole("numa_nodes", vm.numa_nodes, kNumaNodes);
  fields.each("cells", [&](JsonValue item, const std::string& path) {
    const auto cell = item.is_number() ? item.whole() : std::nullopt;
    if (!cell || *cell < 0 || *cell >= static_cast<std::int64_t>(kMostCells)) {
      return errors.add(path + ": wanted the number of a cell from 0 to 62, found " + item.found());
    }
    vm.cells.push_back(static_cast<std::uint32_t>(*cell));
  });
  if (!std::is_sorted(vm.cells.begin(), vm.cells.end(), std::less_equal<>())) {
    errors.add(fields.path_of("cells") + ": wanted rising numbers of cells");
  }
  if (fields.has("spread")) read_spread(*fields.value("spread"), fields.path_of("spread"), vm.spread, errors);
  fields.value("spread");
  vm.state = vm.host.empty() ? VmState::kExpected : VmState::kPlaced;
  if (fields.has("state"))
    fields.choice("state", vm.state, "expected, placed, claimed, starting, running, stopped, migrating, failed",
                  &parse_vm_state);
}

// Little-endian 64-bit values; nothing when the text is not base64 of a whole number of them.
std::optional<std::vector<std::uint64_t>> parse_hashes(std::string_view text) {
  const auto bytes = base64_decode(text);
  if (!bytes || bytes->size() % sizeof(std::uint64_t) != 0) return std::nullopt;
  std::vector<std::uint64_t> hashes(bytes->size() / sizeof(std::uint64_t));
  for (std::size_t i = 0; i < bytes->size(); ++i) {
    hashes[i / 8] |= std::uint64_t{static_cast<unsigned char>((*bytes)[i])} << (8 * (i % 8));
  }
  return hashes;
}

void read_sample(JsonFields& fields, PageSampleRow& sample, std::int64_t now_us, JsonErrors& errors) {
  for (const std::string_view field : {"vm", "pages", "zero_pages", "distinct_pages", "rate", "hashes"})
    fields.require(field);
  sample.observed_at_us = now_us;
  fields.name("vm", sample.vm);
  fields.whole("pages", sample.pages, {0, 1e12});
  fields.whole("zero_pages", sample.zero_pages, {0, sample.pages});
  fields.whole("distinct_pages", sample.distinct_pages, {0, sample.pages});
  fields.whole("rate", sample.rate, {1, 1e9});
  read_time(fields, sample.observed_at_us);
  const auto text = fields.value("hashes");
  if (!text || !errors.none()) return;
  auto hashes = text->is_text() ? parse_hashes(text->text()) : std::nullopt;
  if (!hashes) return fields.wanted("hashes", "base64 of little-endian 64-bit hashes", *text);
  const auto rate = static_cast<std::uint64_t>(sample.rate);
  const auto odd = std::find_if(hashes->begin(), hashes->end(), [&](std::uint64_t hash) { return hash % rate != 0; });
  if (odd != hashes->end()) {
    errors.add(fields.path_of("hashes") + ": wanted hashes = 0 mod " + std::to_string(rate) + ", found " +
               std::to_string(*odd));
  }
  if (!std::is_sorted(hashes->begin(), hashes->end(), std::less_equal<>())) {
    errors.add(fields.path_of("hashes") + ": wanted rising hashes, each once");
  }
  sample.hashes = *std::move(hashes);
}

TrafficRow read_traffic(JsonFields& fields, std::int64_t now_us) {
  TrafficRow edge;
  edge.observed_at_us = now_us;
  for (const std::string_view field : {"a", "b", "bytes_per_s"}) fields.require(field);
  fields.name("a", edge.a);
  fields.name("b", edge.b);
  fields.number("bytes_per_s", edge.bytes_per_s, kRate);
  read_time(fields, edge.observed_at_us);
  return edge;
}

DataSourceRow read_data_source(JsonFields& fields, std::int64_t now_us) {
  DataSourceRow edge;
  edge.observed_at_us = now_us;
  for (const std::string_view field : {"vm", "source", "bytes_per_s"}) fields.require(field);
  fields.name("vm", edge.vm);
  fields.name("source", edge.source);
  fields.number("bytes_per_s", edge.bytes_per_s, kRate);
  read_time(fields, edge.observed_at_us);
  return edge;
}

SourceHostsRow read_source_hosts(JsonFields& fields) {
  SourceHostsRow row;
  fields.require("source");
  fields.require("hosts");
  fields.name("source", row.source);
  fields.names("hosts", row.hosts);
  return row;
}

// Calls `read` for each row of a list, and refuses a name that two rows have and fields that nobody read.
template <typename Read>
void each_row(JsonFields& root, std::string_view list, std::string_view name_field, Reading& reading, Read read) {
  std::set<std::string> names;
  root.each(list, [&](JsonValue item, const std::string& path) {
    JsonFields fields(item, path, reading.errors);
    std::string name;
    if (!name_field.empty()) {
      fields.require(name_field);
      fields.name(name_field, name);
      if (!name.empty() && !names.insert(name).second) {
        reading.errors.add(fields.path_of(name_field) + ": wanted each name once, found " + json_text(name) + " twice");
      }
    }
    if (reading.errors.none()) read(fields, name);
    fields.refuse_unknown();
  });
}

void read_rows_of_hosts(JsonFields& root, Reading& reading) {
  each_row(root, "aggregates", "name", reading, [&](JsonFields& fields, const std::string& name) {
    AggregateRow row;
    row.name = name;
    read_aggregate(fields, row);
    reading.changes.emplace_back(std::move(row));
  });
  each_row(root, "hosts", "name", reading, [&](JsonFields& fields, const std::string& name) {
    HostRow row;
    row.name = name;
    fields.require("vcpus");
    fields.require("memory_mib");
    read_host(fields, row, reading.now_us, reading.errors);
    if (reading.known && repeats(*reading.known, row)) return;
    check_host(fields, row, reading.errors);
    reading.changes.emplace_back(std::move(row));
  });
}

// Several vms may share a name; then only their ids tell them apart.
class VmsNamed {
 public:
  void check(const JsonFields& fields, const VmRow& vm, JsonErrors& errors) {
    const auto [known, is_fresh] = have_ids_.try_emplace(vm.name, !vm.id.is_zero());
    if (!is_fresh && !(known->second && !vm.id.is_zero())) {
      errors.add(fields.path_of("name") + ": wanted an id for each vm of one name, found " + json_text(vm.name) +
                 " twice");
    }
    if (!vm.id.is_zero() && !ids_.insert(vm.id).second) {
      errors.add(fields.path_of("id") + ": wanted each id once, found " + to_string(vm.id) + " twice");
    }
  }

 private:
  std::map<std::string, bool> have_ids_;
  std::set<Uuid> ids_;
};

void read_rows_of_vms(JsonFields& root, Reading& reading) {
  each_row(root, "groups", "name", reading, [&](JsonFields& fields, const std::string& name) {
    GroupRow row;
    row.name = name;
    fields.require("policy");
    read_group(fields, row);
    reading.changes.emplace_back(std::move(row));
  });
  VmsNamed named;
  each_row(root, "vms", "", reading, [&](JsonFields& fields, const std::string&) {
    VmRow row;
    fields.require("name");
    fields.name("name", row.name);
    read_vm_row(fields, row, reading.errors);
    named.check(fields, row, reading.errors);
    if (reading.known && repeats(*reading.known, row)) return;
    reading.changes.emplace_back(std::move(row));
  });
}

void read_edges(JsonFields& root, Reading& reading) {
  each_row(root, "traffic", "", reading, [&](JsonFields& fields, const std::string&) {
    TrafficRow edge = read_traffic(fields, reading.now_us);
    if (edge.a == edge.b)
      reading.errors.add(fields.path_of("b") + ": wanted another vm than a, found " + json_text(edge.b));
    reading.changes.emplace_back(std::move(edge));
  });
  each_row(root, "data_sources", "", reading, [&](JsonFields& fields, const std::string&) {
    reading.changes.emplace_back(read_data_source(fields, reading.now_us));
  });
  each_row(root, "source_hosts", "", reading,
           [&](JsonFields& fields, const std::string&) { reading.changes.emplace_back(read_source_hosts(fields)); });
  each_row(root, "page_samples", "vm", reading, [&](JsonFields& fields, const std::string&) {
    PageSampleRow sample;
    read_sample(fields, sample, reading.now_us, reading.errors);
    reading.changes.emplace_back(std::move(sample));
  });
}

}  // namespace

void read_spread(JsonValue value, const std::string& path, Spread& spread, JsonErrors& errors) {
  JsonFields fields(value, path, errors);
  for (const std::string_view field : {"by", "group", "domain"}) fields.require(field);
  fields.choice("by", spread.by, "rack, zone", &parse_spread_by);
  fields.name("group", spread.group);
  fields.name("domain", spread.domain);
  fields.refuse_unknown();
}

void read_group(JsonFields& fields, GroupRow& group) {
  fields.choice("policy", group.policy, "affinity, anti-affinity, soft-affinity, soft-anti-affinity",
                &parse_group_policy);
  fields.whole("max_per_host", group.max_per_host, kMembers);
}

void read_aggregate(JsonFields& fields, AggregateRow& aggregate) {
  fields.texts_by_name("metadata", aggregate.metadata);
}

Result<std::vector<Change>> parse_inventory(std::string_view json, std::int64_t now_us, const Picture* known) {
  const auto document = JsonDocument::parse(json);
  if (!document) return tl::unexpected(document.error());
  Reading reading{.now_us = now_us, .known = known};
  JsonFields root(document->root(), "", reading.errors);
  read_rows_of_hosts(root, reading);
  read_rows_of_vms(root, reading);
  read_edges(root, reading);
  root.refuse_unknown();
  if (!reading.errors.none()) return reading.errors.failure();
  return std::move(reading.changes);
}

namespace {

HostRow read_host_change(JsonFields& fields, const Picture* picture, JsonErrors& errors) {
  std::string name;
  fields.require("name");
  fields.name("name", name);
  const std::uint32_t known = picture ? picture->find_host(name) : kNoRow;
  HostRow row;
  if (known != kNoRow) {
    row = host_row(*picture, known);
  } else {
    row.name = name;
    fields.require("vcpus");
    fields.require("memory_mib");
  }
  const std::int64_t observed_at_us = picture ? picture->made_at_us() : 0;
  if (errors.none()) read_host(fields, row, observed_at_us, errors);
  check_host(fields, row, errors);
  return row;
}

VmRow read_vm_change(JsonFields& fields, JsonErrors& errors) {
  VmRow row;
  fields.require("name");
  fields.require("id");
  fields.name("name", row.name);
  read_vm_row(fields, row, errors);
  return row;
}

template <typename Removed>
Change removed(JsonFields& fields) {
  Removed row;
  fields.require("name");
  fields.name("name", row.name);
  return row;
}

std::optional<Change> read_kind(const std::string& kind, JsonFields& fields, const Picture* picture,
                                JsonErrors& errors) {
  const std::int64_t now_us = picture ? picture->made_at_us() : 0;
  if (kind == "host") return read_host_change(fields, picture, errors);
  if (kind == "vm") return read_vm_change(fields, errors);
  if (kind == "traffic") return read_traffic(fields, now_us);
  if (kind == "data_source") return read_data_source(fields, now_us);
  if (kind == "source_hosts") return read_source_hosts(fields);
  if (kind == "host_removed") return removed<HostRemoved>(fields);
  if (kind == "group_removed") return removed<GroupRemoved>(fields);
  if (kind == "aggregate_removed") return removed<AggregateRemoved>(fields);
  if (kind == "group") {
    GroupRow row;
    for (const std::string_view field : {"name", "policy"}) fields.require(field);
    fields.name("name", row.name);
    read_group(fields, row);
    return row;
  }
  if (kind == "aggregate") {
    AggregateRow row;
    fields.require("name");
    fields.name("name", row.name);
    read_aggregate(fields, row);
    return row;
  }
  if (kind == "vm_removed") {
    VmRemoved row;
    fields.require("id");
    fields.uuid("id", row.id);
    return row;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Change> read_change(JsonValue value, const std::string& path, const Picture* picture,
                                  JsonErrors& errors) {
  JsonFields fields(value, path, errors);
  std::string kind;
  fields.require("kind");
  fields.name("kind", kind);
  if (!errors.none()) return std::nullopt;
  auto change = read_kind(kind, fields, picture, errors);
  if (!change) {
    fields.wanted("kind",
                  "one of host, vm, group, aggregate, traffic, data_source, source_hosts, host_removed, vm_removed, "
                  "group_removed, aggregate_removed",
                  *fields.value("kind"));
  }
  fields.refuse_unknown();
  return change;
}

}  // namespace emplace
