#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>

#include "service/core/base/base64.h"
#include "service/core/base/time_text.h"
#include "service/core/change/change.h"
#include "service/core/json/json.h"
#include "service/core/json/json_numbers.h"

namespace emplace {
namespace {

using Buffer = rapidjson::StringBuffer;
using Writer = rapidjson::Writer<Buffer>;
using Value = rapidjson::Value;

// ---- writing: put(writer, key, value); an empty text, list or optional is left out

void put(Writer& w, const char* key, std::string_view value) {
  if (value.empty()) return;
  w.Key(key);
  w.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}
void put(Writer& w, const char* key, double value) {
  if (!std::isfinite(value)) return;  // JSON has no word for it
  w.Key(key);
  w.Double(value);
}
void put(Writer& w, const char* key, std::int64_t value) {
  w.Key(key);
  w.Int64(value);
}
void put(Writer& w, const char* key, const std::optional<double>& value) {
  if (value) put(w, key, *value);
}
void put(Writer& w, const char* key, const std::vector<std::string>& values) {
  if (values.empty()) return;
  w.Key(key);
  w.StartArray();
  for (const auto& value : values) w.String(value.c_str(), static_cast<rapidjson::SizeType>(value.size()));
  w.EndArray();
}

constexpr std::int64_t kYear10000_us =
    253'402'300'800'000'000;  // what has no text of four digits is written in numbers

void put_time(Writer& w, std::int64_t at_us) {
  if (at_us > 0 && at_us < kYear10000_us) return put(w, "observed_at", time_text(at_us));
  if (at_us != 0) put(w, "observed_at_us", at_us);
}

void write_observed(Writer& w, const HostRow& row) {
  if (!row.cpu_util && !row.memory_used_observed_mib && !row.power_watts && row.observed_at_us == 0) return;
  w.Key("observed");
  w.StartObject();
  put(w, "cpu_util", row.cpu_util);
  put(w, "memory_used_mib", row.memory_used_observed_mib);
  put(w, "power_watts", row.power_watts);
  put_time(w, row.observed_at_us);
  w.EndObject();
}

void write(Writer& w, const HostRow& row) {
  put(w, "kind", "host");
  put(w, "name", row.name);
  put(w, "source", row.source);
  put(w, "zone", row.zone);
  put(w, "rack", row.rack);
  put(w, "state", to_string(row.state));
  put(w, "aggregates", row.aggregates);
  put(w, "traits", row.traits);
  put(w, "vcpus", row.vcpus);
  put(w, "memory_mib", row.memory_mib);
  put(w, "disk_gib", row.disk_gib);
  put(w, "reserved_vcpus", row.vcpus_reserved);
  put(w, "reserved_memory_mib", row.memory_reserved_mib);
  put(w, "reserved_disk_gib", row.disk_reserved_gib);
  put(w, "cpu_allocation_ratio", row.cpu_allocation_ratio);
  put(w, "ram_allocation_ratio", row.ram_allocation_ratio);
  put(w, "disk_allocation_ratio", row.disk_allocation_ratio);
  if (!row.cells.empty()) {
    w.Key("numa");
    w.StartArray();
    for (const auto& cell : row.cells) {
      w.StartObject();
      put(w, "vcpus", cell.vcpus);
      put(w, "memory_mib", cell.memory_mib);
      w.EndObject();
    }
    w.EndArray();
  }
  write_observed(w, row);
  put(w, "nova_state", row.nova_state);
  put(w, "generation", row.generation);
}

void write(Writer& w, const VmRow& row) {
  put(w, "kind", "vm");
  put(w, "id", to_string(row.id));
  put(w, "name", row.name);
  put(w, "host", row.host);
  put(w, "state", to_string(row.state));
  put(w, "source", row.source);
  put(w, "project", row.project);
  put(w, "group", row.group);
  put(w, "vcpus", row.vcpus);
  put(w, "memory_mib", row.memory_mib);
  put(w, "disk_gib", row.disk_gib);
  put(w, "numa_nodes", std::int64_t{row.numa_nodes});
  if (!row.cells.empty()) {
    w.Key("cells");
    w.StartArray();
    for (const std::uint32_t cell : row.cells) w.Uint(cell);
    w.EndArray();
  }
  if (row.spread.by != SpreadBy::kNone || !row.spread.group.empty() || !row.spread.domain.empty()) {
    w.Key("spread");
    w.StartObject();
    put(w, "by", to_string(row.spread.by));
    put(w, "group", row.spread.group);
    put(w, "domain", row.spread.domain);
    w.EndObject();
  }
  if (row.claim) put(w, "claim", to_string(*row.claim));
  if (!row.failure.empty()) put(w, "failure", row.failure);
  if (row.vcpus_max > 0) put(w, "vcpus_max", row.vcpus_max);
  if (row.memory_max_mib > 0) put(w, "memory_max_mib", row.memory_max_mib);
  if (!row.takes.empty()) put(w, "takes", row.takes);
}

void write(Writer& w, const GroupRow& row) {
  put(w, "kind", "group");
  put(w, "name", row.name);
  put(w, "policy", to_string(row.policy));
  put(w, "max_per_host", row.max_per_host);
  put(w, "generation", row.generation);
}

void write_metadata(Writer& w, const std::map<std::string, std::string>& metadata) {
  w.StartObject();
  for (const auto& [key, value] : metadata) {
    w.Key(key.c_str(), static_cast<rapidjson::SizeType>(key.size()));
    w.String(value.c_str(), static_cast<rapidjson::SizeType>(value.size()));
  }
  w.EndObject();
}

void write(Writer& w, const AggregateRow& row) {
  put(w, "kind", "aggregate");
  put(w, "name", row.name);
  w.Key("metadata");
  write_metadata(w, row.metadata);
}

void write(Writer& w, const TrafficRow& row) {
  put(w, "kind", "traffic");
  put(w, "a", row.a);
  put(w, "b", row.b);
  put(w, "bytes_per_s", row.bytes_per_s);
  put_time(w, row.observed_at_us);
}
void write(Writer& w, const DataSourceRow& row) {
  put(w, "kind", "data_source");
  put(w, "vm", row.vm);
  put(w, "source", row.source);
  put(w, "bytes_per_s", row.bytes_per_s);
  put_time(w, row.observed_at_us);
}
void write(Writer& w, const SourceHostsRow& row) {
  put(w, "kind", "source_hosts");
  put(w, "source", row.source);
  put(w, "hosts", row.hosts);
}
void write(Writer& w, const PageSampleRow& row) {
  put(w, "kind", "page_sample");
  put(w, "vm", row.vm);
  put(w, "pages", row.pages);
  put(w, "zero_pages", row.zero_pages);
  put(w, "distinct_pages", row.distinct_pages);
  put(w, "rate", row.rate);
  put(w, "hashes",
      base64_encode({reinterpret_cast<const char*>(row.hashes.data()), row.hashes.size() * sizeof(std::uint64_t)}));
  put_time(w, row.observed_at_us);
}
void write(Writer& w, const HostRemoved& removed) {
  put(w, "kind", "host_removed");
  put(w, "name", removed.name);
}
void write(Writer& w, const VmRemoved& removed) {
  put(w, "kind", "vm_removed");
  put(w, "id", to_string(removed.id));
  if (removed.claim) put(w, "claim", to_string(*removed.claim));
  put(w, "project", removed.project);
}
void write(Writer& w, const GroupRemoved& removed) {
  put(w, "kind", "group_removed");
  put(w, "name", removed.name);
}
void write(Writer& w, const AggregateRemoved& removed) {
  put(w, "kind", "aggregate_removed");
  put(w, "name", removed.name);
}

// ---- reading back what was written above: what is absent has its default, what is of another type is an error

class Fields {
 public:
  // `wrong` gets the path of the first field that is not what was wanted.
  Fields(const Value& object, std::string& wrong, std::string path = {})
      : object_(object), wrong_(wrong), path_(std::move(path)) {}

  std::string text(const char* key) {
    const Value* v = find(key, &Value::IsString);
    return v ? std::string(v->GetString(), v->GetStringLength()) : std::string();
  }
  double number(const char* key, double otherwise = 0) { return maybe_number(key).value_or(otherwise); }
  std::optional<double> maybe_number(const char* key) {
    const Value* v = find(key, &Value::IsNumber);
    return v && check(key, std::isfinite(v->GetDouble())) ? std::optional(v->GetDouble()) : std::nullopt;
  }
  std::int64_t whole(const char* key, std::int64_t otherwise = 0) {
    const Value* v = find(key, &Value::IsInt64);
    return v ? v->GetInt64() : otherwise;
  }
  std::int64_t observed_at_us() {
    const Value* v = find("observed_at", &Value::IsString);
    return v ? read("observed_at", parse_time).value_or(0) : whole("observed_at_us");
  }
  std::uint32_t small(const char* key) {
    const Value* v = find(key, &Value::IsUint);
    return v ? v->GetUint() : 0;
  }
  std::optional<Uuid> uuid(const char* key) {
    return find(key, &Value::IsString) ? read(key, parse_uuid) : std::nullopt;
  }
  template <typename T>
  T word(const char* key, std::optional<T> (*parse)(std::string_view)) {
    return read(key, parse).value_or(T{});
  }
  std::vector<std::string> texts(const char* key) {
    std::vector<std::string> values;
    for (const Value& item : items(key)) {
      if (check(key, item.IsString())) values.emplace_back(item.GetString(), item.GetStringLength());
    }
    return values;
  }
  std::vector<std::uint32_t> smalls(const char* key) {
    std::vector<std::uint32_t> values;
    for (const Value& item : items(key)) {
      if (check(key, item.IsUint())) values.push_back(item.GetUint());
    }
    return values;
  }
  std::vector<std::uint64_t> hashes(const char* key) {
    const auto bytes = base64_decode(text(key));
    if (!check(key, bytes && bytes->size() % sizeof(std::uint64_t) == 0) || bytes->empty()) return {};
    std::vector<std::uint64_t> values(bytes->size() / sizeof(std::uint64_t));
    std::memcpy(values.data(), bytes->data(), bytes->size());
    return values;
  }
  std::optional<Fields> object(const char* key) {
    const Value* v = find(key, &Value::IsObject);
    return v ? std::optional(Fields(*v, wrong_, path_ + key + ".")) : std::nullopt;
  }
  std::vector<Fields> objects(const char* key) {
    std::vector<Fields> values;
    for (const Value& item : items(key)) {
      if (check(key, item.IsObject())) values.emplace_back(item, wrong_, path_ + key + ".");
    }
    return values;
  }
  std::map<std::string, std::string> texts_by_name() {
    std::map<std::string, std::string> values;
    for (const auto& member : object_.GetObject()) {
      if (!check(member.name.GetString(), member.value.IsString())) continue;
      values.emplace(std::string(member.name.GetString(), member.name.GetStringLength()),
                     std::string(member.value.GetString(), member.value.GetStringLength()));
    }
    return values;
  }

 private:
  bool check(const char* key, bool is_good) {
    if (!is_good && wrong_.empty()) wrong_ = path_ + key;
    return is_good;
  }
  const Value* find(const char* key, bool (Value::*is_wanted)() const) {
    const auto at = object_.FindMember(key);
    if (at == object_.MemberEnd() || !check(key, (at->value.*is_wanted)())) return nullptr;
    return &at->value;
  }
  std::span<const Value> items(const char* key) {
    const Value* v = find(key, &Value::IsArray);
    return v ? std::span<const Value>(v->Begin(), v->Size()) : std::span<const Value>();
  }
  template <typename T>
  std::optional<T> read(const char* key, std::optional<T> (*parse)(std::string_view)) {
    const std::optional<T> value = parse(text(key));
    check(key, value.has_value());
    return value;
  }

  const Value& object_;
  std::string& wrong_;
  std::string path_;
};

void read_observed(Fields& v, HostRow& row) {
  row.cpu_util = v.maybe_number("cpu_util");
  row.memory_used_observed_mib = v.maybe_number("memory_used_observed_mib");
  row.power_watts = v.maybe_number("power_watts");
  row.observed_at_us = v.observed_at_us();
  auto observed = v.object("observed");
  if (!observed) return;
  row.cpu_util = observed->maybe_number("cpu_util");
  row.memory_used_observed_mib = observed->maybe_number("memory_used_mib");
  row.power_watts = observed->maybe_number("power_watts");
  row.observed_at_us = observed->observed_at_us();
}

// Events and pictures that were kept before the fields had the names of the import are read, too.
Change read_host(Fields& v) {
  HostRow row;
  row.name = v.text("name");
  row.source = v.text("source");
  row.zone = v.text("zone");
  row.rack = v.text("rack");
  row.state = v.word("state", parse_host_state);
  row.aggregates = v.texts("aggregates");
  row.traits = v.texts("traits");
  row.vcpus = v.number("vcpus");
  row.memory_mib = v.number("memory_mib");
  row.disk_gib = v.number("disk_gib");
  row.vcpus_reserved = v.number("reserved_vcpus", v.number("vcpus_reserved"));
  row.memory_reserved_mib = v.number("reserved_memory_mib", v.number("memory_reserved_mib"));
  row.disk_reserved_gib = v.number("reserved_disk_gib", v.number("disk_reserved_gib"));
  row.cpu_allocation_ratio = v.number("cpu_allocation_ratio", 1);
  row.ram_allocation_ratio = v.number("ram_allocation_ratio", 1);
  row.disk_allocation_ratio = v.number("disk_allocation_ratio", 1);
  for (Fields& cell : v.objects("numa")) row.cells.push_back({cell.number("vcpus"), cell.number("memory_mib")});
  read_observed(v, row);
  row.nova_state = v.text("nova_state");
  row.generation = v.whole("generation");
  return row;
}

Change read_vm(Fields& v) {
  VmRow row;
  row.id = v.word("id", parse_uuid);
  row.name = v.text("name");
  row.host = v.text("host");
  row.state = v.word("state", parse_vm_state);
  row.source = v.text("source");
  row.project = v.text("project");
  row.group = v.text("group");
  row.vcpus = v.number("vcpus");
  row.memory_mib = v.number("memory_mib");
  row.disk_gib = v.number("disk_gib");
  row.numa_nodes = v.small("numa_nodes");
  row.cells = v.smalls("cells");
  if (auto spread = v.object("spread")) {
    row.spread.by = spread->word("by", parse_spread_by);
    row.spread.group = spread->text("group");
    row.spread.domain = spread->text("domain");
  }
  row.claim = v.uuid("claim");
  row.failure = v.text("failure");
  row.vcpus_max = v.number("vcpus_max");
  row.memory_max_mib = v.number("memory_max_mib");
  row.takes = v.text("takes");
  return row;
}

Change read_group(Fields& v) {
  return GroupRow{v.text("name"), v.word("policy", parse_group_policy), v.number("max_per_host", 1),
                  v.whole("generation")};
}
Change read_aggregate(Fields& v) {
  auto metadata = v.object("metadata");
  return AggregateRow{v.text("name"), metadata ? metadata->texts_by_name() : std::map<std::string, std::string>()};
}
Change read_traffic(Fields& v) {
  return TrafficRow{v.text("a"), v.text("b"), v.number("bytes_per_s"), v.observed_at_us()};
}
Change read_data_source(Fields& v) {
  return DataSourceRow{v.text("vm"), v.text("source"), v.number("bytes_per_s"), v.observed_at_us()};
}
Change read_source_hosts(Fields& v) { return SourceHostsRow{v.text("source"), v.texts("hosts")}; }
Change read_page_sample(Fields& v) {
  return PageSampleRow{v.text("vm"),       v.number("pages"),  v.number("zero_pages"), v.number("distinct_pages"),
                       v.whole("rate", 1), v.hashes("hashes"), v.observed_at_us()};
}
Change read_host_removed(Fields& v) { return HostRemoved{v.text("name")}; }
Change read_vm_removed(Fields& v) { return VmRemoved{v.word("id", parse_uuid), v.uuid("claim"), v.text("project")}; }
Change read_group_removed(Fields& v) { return GroupRemoved{v.text("name")}; }
Change read_aggregate_removed(Fields& v) { return AggregateRemoved{v.text("name")}; }

struct Reader {
  std::string_view kind;
  Change (*read)(Fields&);
};
constexpr Reader kReaders[] = {
    {"host", read_host},
    {"vm", read_vm},
    {"group", read_group},
    {"aggregate", read_aggregate},
    {"traffic", read_traffic},
    {"data_source", read_data_source},
    {"source_hosts", read_source_hosts},
    {"page_sample", read_page_sample},
    {"host_removed", read_host_removed},
    {"vm_removed", read_vm_removed},
    {"group_removed", read_group_removed},
    {"aggregate_removed", read_aggregate_removed},
};

}  // namespace

std::string to_json(const Change& change) {
  Buffer buffer;
  Writer writer(buffer);
  writer.StartObject();
  std::visit([&](const auto& row) { write(writer, row); }, change);
  writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

Result<Change> change_from_json(std::string_view json) {
  rapidjson::Document document;
  if (!read_exactly(json, document) || !document.IsObject()) {
    return fail(ErrorCode::kInvalid, "change: wanted a JSON object, found " + shortened(json, 80));
  }
  std::string wrong;
  Fields fields(document, wrong);
  const std::string kind = fields.text("kind");
  const auto reader =
      std::find_if(std::begin(kReaders), std::end(kReaders), [&](const Reader& known) { return known.kind == kind; });
  if (reader == std::end(kReaders)) {
    return fail(ErrorCode::kInvalid, fmt::format("change: unknown kind \"{}\"", shortened(kind)));
  }
  Change change = reader->read(fields);
  if (!wrong.empty())
    return fail(ErrorCode::kInvalid, fmt::format("change of kind {}: bad {}", kind, shortened(wrong)));
  return change;
}

std::string metadata_json(const std::map<std::string, std::string>& metadata) {
  Buffer buffer;
  Writer writer(buffer);
  write_metadata(writer, metadata);
  return {buffer.GetString(), buffer.GetSize()};
}

std::map<std::string, std::string> metadata_from_json(std::string_view json) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (document.HasParseError() || !document.IsObject()) return {};
  std::string wrong;
  return Fields(document, wrong).texts_by_name();
}

}  // namespace emplace
