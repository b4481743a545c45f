#include "service/rest/host_states.h"

#include <map>
#include <set>

#include "service/core/change/change.h"

namespace emplace::http {
namespace {

constexpr std::uint64_t kArenaBytes = std::uint64_t{4} << 30;   // reserved, not used: pages come with the first write
constexpr Range kAny{-9007199254740992.0, 9007199254740992.0};  // 2^53: whatever Nova counts in MB

// Scalars of a HostState that the picture has columns for.
struct Amounts {
  std::optional<double> vcpus_total, vcpus_used, cpu_ratio;
  std::optional<double> ram_mib, free_ram_mib, ram_ratio;
  std::optional<double> disk_gib, free_disk_mib, disk_ratio;
};

struct State {
  HostRow row;
  std::string host;
  std::string node;
  Amounts amounts;
  std::vector<std::pair<Uuid, std::string>> instances;  // id, project
};

Amounts read_amounts(JsonFields& fields) {
  Amounts amounts;
  fields.number("vcpus_total", amounts.vcpus_total, kAny);
  fields.number("vcpus_used", amounts.vcpus_used, kAny);
  fields.number("cpu_allocation_ratio", amounts.cpu_ratio, kAny);
  fields.number("total_usable_ram_mb", amounts.ram_mib, kAny);
  fields.number("free_ram_mb", amounts.free_ram_mib, kAny);
  fields.number("ram_allocation_ratio", amounts.ram_ratio, kAny);
  fields.number("total_usable_disk_gb", amounts.disk_gib, kAny);
  fields.number("free_disk_mb", amounts.free_disk_mib, kAny);
  fields.number("disk_allocation_ratio", amounts.disk_ratio, kAny);
  return amounts;
}

// By the names that they have in the picture.
struct Aggregates {
  std::map<std::string, AggregateRow> rows;
  std::map<std::string, std::string> ids;  // of the first one of each name
};

// Nova tells aggregates apart by their ids: two may have one name.
std::string distinct_name(const std::string& name, JsonFields& aggregate, Aggregates& aggregates) {
  const auto value = aggregate.value("id");
  const std::string id = value ? to_json(*value) : std::string();
  const auto first = aggregates.ids.emplace(name, id).first;
  return first->second == id ? name : name + " #" + id;
}

void read_aggregates(JsonFields& fields, State& state, Aggregates& aggregates, JsonErrors& errors) {
  fields.each("aggregates", [&](JsonValue item, const std::string& path) {
    JsonFields aggregate(item, path, errors);
    AggregateRow row;
    aggregate.require("name");
    aggregate.name("name", row.name);
    aggregate.texts_by_name("metadata", row.metadata);
    if (!errors.none()) return;
    const auto zone = row.metadata.find("availability_zone");
    if (zone != row.metadata.end()) state.row.zone = zone->second;
    row.name = distinct_name(row.name, aggregate, aggregates);
    state.row.aggregates.push_back(row.name);
    aggregates.rows.insert_or_assign(row.name, std::move(row));
  });
}

void read_instances(JsonFields& fields, State& state, JsonErrors& errors) {
  const auto value = fields.value("instances");
  if (!value || value->is_null()) return;
  if (!value->is_object()) return fields.wanted("instances", "an object of instances by uuid", *value);
  for (std::size_t i = 0; i < value->size(); ++i) {
    const auto id = parse_uuid(value->key(i));
    if (!id) continue;  // a rule that reads the state itself still sees it
    JsonFields instance(value->member(i), fields.path_of("instances") + '.' + std::string(value->key(i)), errors);
    std::string project;
    instance.name_or_null("project_id", project);
    state.instances.emplace_back(*id, project);
  }
}

void read_service(JsonFields& fields, HostRow& row, JsonErrors& errors) {
  const auto value = fields.value("service");
  if (!value || value->is_null()) return;
  JsonFields service(*value, fields.path_of("service"), errors);
  bool disabled = false, forced_down = false;
  if (service.has("disabled")) service.flag("disabled", disabled);
  if (service.has("forced_down")) service.flag("forced_down", forced_down);
  row.state = forced_down ? HostState::kDown : disabled ? HostState::kDisabled : HostState::kEnabled;
}

State read_state(JsonValue item, const std::string& path, Aggregates& aggregates, JsonErrors& errors) {
  State state;
  JsonFields fields(item, path, errors);
  fields.require("host");
  fields.name("host", state.host);
  fields.name_or_null("nodename", state.node);
  state.amounts = read_amounts(fields);
  if (item.is_object()) state.row.nova_state = to_json(item);
  read_aggregates(fields, state, aggregates, errors);
  read_instances(fields, state, errors);
  read_service(fields, state.row, errors);
  state.row.source = "nova";
  state.row.vcpus = state.amounts.vcpus_total.value_or(0);
  state.row.memory_mib = state.amounts.ram_mib.value_or(0);
  state.row.disk_gib = state.amounts.disk_gib.value_or(0);
  state.row.cpu_allocation_ratio = state.amounts.cpu_ratio.value_or(1);
  state.row.ram_allocation_ratio = state.amounts.ram_ratio.value_or(1);
  state.row.disk_allocation_ratio = state.amounts.disk_ratio.value_or(1);
  return state;
}

// One resource of a host: what the state says, or nothing at all.
struct ResourceColumns {
  Column<double> total, capacity, used, free;
};

void set_resource(PictureBuilder& builder, std::uint32_t row, const ResourceColumns& columns,
                  std::optional<double> total, double ratio, std::optional<double> used) {
  if (!total) {
    for (const auto column : {columns.total, columns.capacity, columns.used, columns.free}) builder.clear(column, row);
    return;
  }
  builder.set(columns.capacity, row, *total * ratio);
  if (used) {
    builder.set(columns.used, row, *used);
    builder.set(columns.free, row, *total * ratio - *used);
  } else {
    builder.clear(columns.used, row);
    builder.clear(columns.free, row);
  }
}

std::optional<double> used_of(std::optional<double> total, std::optional<double> free) {
  return total && free ? std::optional(*total - *free) : std::nullopt;
}

std::optional<double> in_gib(std::optional<double> mib) { return mib ? std::optional(*mib / 1024) : std::nullopt; }

void set_amounts(PictureBuilder& builder, std::uint32_t row, const Amounts& amounts) {
  set_resource(builder, row, {hosts::vcpus, hosts::vcpus_capacity, hosts::vcpus_used, hosts::vcpus_free},
               amounts.vcpus_total, amounts.cpu_ratio.value_or(1), amounts.vcpus_used);
  set_resource(builder, row,
               {hosts::memory_mib, hosts::memory_capacity_mib, hosts::memory_used_mib, hosts::memory_free_mib},
               amounts.ram_mib, amounts.ram_ratio.value_or(1), used_of(amounts.ram_mib, amounts.free_ram_mib));
  set_resource(builder, row, {hosts::disk_gib, hosts::disk_capacity_gib, hosts::disk_used_gib, hosts::disk_free_gib},
               amounts.disk_gib, amounts.disk_ratio.value_or(1),
               used_of(amounts.disk_gib, in_gib(amounts.free_disk_mib)));
}

VmRow instance_row(const Uuid& id, const std::string& project, const std::string& host) {
  VmRow row;
  row.id = id;
  row.name = to_string(id);
  row.host = host;
  row.state = VmState::kRunning;
  row.source = "nova";
  row.project = project;
  return row;
}

// Names that tell rows apart, and an error for two states of one node.
void name_rows(std::vector<State>& states, JsonErrors& errors) {
  std::map<std::string, int> uses;
  for (const State& state : states) ++uses[state.host];
  std::set<std::string> names;
  for (std::size_t i = 0; i < states.size(); ++i) {
    State& state = states[i];
    state.row.name = uses[state.host] == 1 ? state.host : state.host + '/' + state.node;
    if (names.insert(state.row.name).second) continue;
    errors.add("host_states[" + std::to_string(i) + "].host: wanted each host and nodename once, found " +
               json_text(state.row.name) + " twice");
  }
}

}  // namespace

Result<HostStates> read_host_states(JsonValue list, std::int64_t now_us) {
  JsonErrors errors;
  Aggregates aggregates;
  std::vector<State> states;
  if (!list.is_array()) return fail(ErrorCode::kInvalid, "host_states: wanted a list, found " + list.found());
  for (std::size_t i = 0; i < list.size() && errors.none(); ++i) {
    states.push_back(read_state(list.item(i), "host_states[" + std::to_string(i) + ']', aggregates, errors));
  }
  if (errors.none()) name_rows(states, errors);
  if (!errors.none()) return errors.failure();
  auto arena = Arena::create(kArenaBytes);
  if (!arena) return tl::unexpected(arena.error());
  PictureBuilder builder(std::make_shared<const Picture>(*std::move(arena)));
  for (const auto& [name, row] : aggregates.rows) apply(builder, row);
  HostStates result;
  std::map<Uuid, std::uint16_t> listed;
  for (const State& state : states) {
    apply(builder, state.row);
    for (const auto& [id, project] : state.instances) {
      VmRow row = instance_row(id, project, state.row.name);
      // One that moves is listed by several hosts, and is on each for Nova's filters: rows beside the first, told apart
      // by claims that are none, since they run.
      if (const std::uint16_t before = listed[id]++; before > 0) {
        row.claim = id;
        row.claim->bytes[0] ^= static_cast<std::uint8_t>(before);
        row.claim->bytes[1] ^= static_cast<std::uint8_t>(before >> 8);
      }
      apply(builder, std::move(row));
    }
    result.names.push_back(state.row.name);
    result.hosts.push_back(state.host);
  }
  for (const State& state : states) {
    for (const auto& entry : builder.find(Index::kHostsByName, text_key(state.row.name))) {
      if (builder.get_text(hosts::name, entry.row) == state.row.name) set_amounts(builder, entry.row, state.amounts);
    }
  }
  result.picture = builder.finish({"", 0, 0}, now_us);
  return result;
}

}  // namespace emplace::http
