#include "service/openstack/nova_json.h"

#include <charconv>
#include <cmath>
#include <set>

#include "service/core/request/nova_flavor.h"
#include "service/openstack/reading.h"

namespace emplace::openstack {
namespace {

void require_id(JsonFields& row, Uuid& id) {
  row.require("id");
  row.uuid("id", id);
}

std::optional<std::int64_t> whole_of(JsonFields& row, std::string_view field) {
  const auto value = row.value(field);
  return value && value->is_number() ? value->whole() : std::nullopt;
}

Hypervisor read_hypervisor(JsonFields& row, JsonErrors& errors) {
  Hypervisor one;
  require_id(row, one.id);
  row.require("hypervisor_hostname");
  row.name("hypervisor_hostname", one.node);
  row.require("service");
  JsonFields service(row.value("service"), row.path_of("service"), errors);
  service.require("host");
  service.name("host", one.host);
  one.enabled = text_of(row, "status") != "disabled";
  one.up = text_of(row, "state") != "down";
  one.type = text_of(row, "hypervisor_type");
  one.host_ip = text_of(row, "host_ip");
  one.version = whole_of(row, "hypervisor_version");
  one.disk_available_least_gib = whole_of(row, "disk_available_least");
  const auto cpu = row.value("cpu_info");
  if (cpu && cpu->is_object() && cpu->size() > 0) one.cpu_info = to_json(*cpu);
  return one;
}

// A swap of none is "" up to some versions.
double swap_mib(JsonFields& flavor) {
  double swap = 0;
  const auto value = flavor.value("swap");
  if (value && value->is_number()) flavor.whole("swap", swap);
  return swap;
}

void read_flavor(JsonFields& row, bool boots_from_volume, Server& server, JsonErrors& errors) {
  JsonFields flavor(row.value("flavor"), row.path_of("flavor"), errors);
  double root_gib = 0, ephemeral_gib = 0;
  for (const auto* field : {"vcpus", "ram", "disk"}) flavor.require(field);
  flavor.whole("vcpus", server.vcpus);
  flavor.whole("ram", server.memory_mib);
  flavor.whole("disk", root_gib);
  flavor.whole("ephemeral", ephemeral_gib);
  server.resources = flavor_resources(flavor.value("extra_specs"), server.vcpus);
  // As Nova asks Placement for it.
  server.disk_gib = (boots_from_volume ? 0 : root_gib) + ephemeral_gib + std::ceil(swap_mib(flavor) / 1024);
}

Server read_server(JsonFields& row, Keys& keys, JsonErrors& errors) {
  Server server;
  require_id(row, server.id);
  server.project = text_of(row, "tenant_id");
  const std::string status = text_of(row, "status");
  server.unreachable = status == "UNKNOWN" && !row.has("flavor");
  server.deleted = status == "DELETED";
  if (server.unreachable || server.deleted) return server;
  keys.look(row);
  server.name = text_of(row, "name");
  server.host = text_of(row, "OS-EXT-SRV-ATTR:host");
  server.node = text_of(row, "OS-EXT-SRV-ATTR:hypervisor_hostname");
  row.require("OS-EXT-STS:vm_state");
  server.vm_state = text_of(row, "OS-EXT-STS:vm_state");
  server.task_state = text_of(row, "OS-EXT-STS:task_state");
  const auto image = row.value("image");
  row.require("flavor");
  read_flavor(row, image && image->is_text(), server, errors);
  return server;
}

ServerGroup read_group(JsonFields& row, JsonErrors& errors) {
  ServerGroup group;
  require_id(row, group.id);
  row.require("policy");
  row.choice<GroupPolicy>("policy", group.policy, "affinity, anti-affinity, soft-affinity, soft-anti-affinity",
                          parse_group_policy);
  if (row.has("rules")) {
    JsonFields rules(row.value("rules"), row.path_of("rules"), errors);
    rules.whole("max_server_per_host", group.max_per_host, {1, kMaxAmount});
  }
  row.each("members", [&](JsonValue member, const std::string& path) {
    const auto id = member.is_text() ? parse_uuid(member.text()) : std::nullopt;
    if (id) return group.members.push_back(*id);
    errors.add(path + ": wanted a uuid, found " + member.found());
  });
  return group;
}

ComputeService read_service(JsonFields& row) {
  ComputeService service;
  row.require("host");
  row.name("host", service.host);
  service.zone = text_of(row, "zone");
  const std::string status = text_of(row, "status");
  service.unreachable = status == "UNKNOWN";
  service.disabled = status == "disabled";
  service.up = !service.unreachable && text_of(row, "state") != "down";
  if (row.has("forced_down")) row.flag("forced_down", service.forced_down);
  service.seen_at = text_of(row, "updated_at");
  return service;
}

using Version = std::pair<int, int>;

std::optional<Version> parse_version(std::string_view text) {
  Version version;
  const char* const end = text.data() + text.size();
  const auto [dot, bad] = std::from_chars(text.data(), end, version.first);
  if (bad != std::errc() || dot == end || *dot != '.') return std::nullopt;
  const auto [last, worse] = std::from_chars(dot + 1, end, version.second);
  return worse == std::errc() && last == end ? std::optional(version) : std::nullopt;
}

// Nova says {"version": {...}} below its endpoint, Placement {"versions": [{...}]}.
std::optional<JsonValue> version_entry(const JsonValue& root) {
  if (!root.is_object()) return std::nullopt;
  if (const auto one = root.find("version")) return one;
  const auto many = root.find("versions");
  if (!many || !many->is_array() || many->size() == 0) return std::nullopt;
  return many->item(many->size() - 1);
}

}  // namespace

Result<Listed<Hypervisor>> read_hypervisors(std::string_view body) {
  Keys keys{"id", "hypervisor_hostname", "service"};
  return read_rows<Hypervisor>(body, kNovaAnswer, "hypervisors", keys, [&](JsonFields& row, JsonErrors& errors) {
    keys.look(row);
    return std::optional(read_hypervisor(row, errors));
  });
}

Result<Listed<Server>> read_servers(std::string_view body) {
  Keys keys{"OS-EXT-SRV-ATTR:host", "OS-EXT-STS:vm_state", "flavor"};
  return read_rows<Server>(body, kNovaAnswer, "servers", keys, [&](JsonFields& row, JsonErrors& errors) {
    return std::optional(read_server(row, keys, errors));
  });
}

Result<Listed<ComputeService>> read_services(std::string_view body) {
  Keys keys{"binary", "host"};
  return read_rows<ComputeService>(body, kNovaAnswer, "services", keys, [&](JsonFields& row, JsonErrors&) {
    keys.look(row);
    return text_of(row, "binary") == "nova-compute" ? std::optional(read_service(row)) : std::nullopt;
  });
}

Result<Listed<NovaAggregate>> read_aggregates(std::string_view body) {
  Keys keys{"name", "hosts"};
  std::set<std::string> names;
  return read_rows<NovaAggregate>(body, kNovaAnswer, "aggregates", keys, [&](JsonFields& row, JsonErrors&) {
    keys.look(row);
    NovaAggregate one;
    row.require("name");
    row.name("name", one.name);
    // Nova tells them apart by their ids: two may have one name.
    const auto id = row.value("id");
    if (!names.insert(one.name).second && id) one.name += " #" + to_json(*id);
    row.texts_by_name("metadata", one.metadata);
    row.names("hosts", one.hosts);
    return std::optional(std::move(one));
  });
}

Result<Listed<ServerGroup>> read_server_groups(std::string_view body) {
  Keys keys{"id", "policy", "members"};
  auto read =
      read_rows<ServerGroup>(body, kNovaAnswer, "server_groups", keys, [&](JsonFields& row, JsonErrors& errors) {
        keys.look(row);
        return std::optional(read_group(row, errors));
      });
  if (read) read->more = read->listed > 0;  // it announces nothing: a page without rows is the end
  return read;
}

Result<void> check_version(std::string_view body, std::string_view service, std::string_view wanted) {
  const auto document = JsonDocument::parse(body, "version document");
  const std::string whose(service);
  if (!document) return unusable(whose, document.error());
  JsonErrors errors;
  JsonFields entry(version_entry(document->root()), "version", errors);
  const std::string least = text_of(entry, "min_version"), max = text_of(entry, "max_version");
  const std::string most = max.empty() ? text_of(entry, "version") : max;
  const auto from = parse_version(least), to = parse_version(most), at = parse_version(wanted);
  if (from && to && *from <= *at && *at <= *to) return {};
  const std::string found = from && to ? least + " to " + most : "no microversions";
  return fail(ErrorCode::kUnavailable,
              whose + ": wanted an API that speaks microversion " + std::string(wanted) + ", found " + found);
}

}  // namespace emplace::openstack
