#include "service/core/request/nova_spec.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "service/core/request/nova_flavor.h"

namespace emplace {
namespace {

constexpr std::string_view kData = "nova_object.data";
const std::string kRoot = "request_spec";

// Does this value ask for anything? Nova writes every field, most of them empty.
bool asks(JsonValue value) {
  switch (value.kind()) {
    case JsonValue::Kind::kNull:
      return false;
    case JsonValue::Kind::kBool:
      return value.boolean();
    case JsonValue::Kind::kNumber:
      return value.number() != 0;
    case JsonValue::Kind::kText:
      return !value.text().empty();
    case JsonValue::Kind::kArray:
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (asks(value.item(i))) return true;
      }
      return false;
    case JsonValue::Kind::kObject: {
      const JsonValue data = data_of(value);
      for (std::size_t i = 0; data.is_object() && i < data.size(); ++i) {
        if (asks(data.member(i))) return true;
      }
      return false;
    }
  }
  return false;
}

template <std::size_t N>
bool among(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Who asks, not what is asked for.
constexpr std::array<std::string_view, 3> kIdentity{"id", "instance_uuid", "user_id"};
// Objects whose members are parts of their own.
constexpr std::array<std::string_view, 4> kOpened{"limits", "request_level_params", "requested_destination",
                                                  "scheduler_hints"};
constexpr std::array<std::string_view, 5> kFlavorAmounts{"vcpus", "memory_mb", "root_gb", "ephemeral_gb", "swap"};

void list_members(std::optional<JsonValue> object, const std::string& path, std::vector<std::string>& parts) {
  if (!object) return;
  const JsonValue data = data_of(*object);
  if (!data.is_object()) return;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (!data.member(i).is_null()) parts.push_back(path + '.' + std::string(data.key(i)));
  }
}

void list_asking_members(JsonValue object, const std::string& path, std::vector<std::string>& parts) {
  const JsonValue data = data_of(object);
  if (!data.is_object()) return;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (asks(data.member(i))) parts.push_back(path + '.' + std::string(data.key(i)));
  }
}

void list_flavor(JsonValue flavor, std::vector<std::string>& parts) {
  const JsonValue data = data_of(flavor);
  if (!data.is_object()) return;
  for (const std::string_view amount : kFlavorAmounts) {
    const auto value = data.find(amount);
    if (value && asks(*value)) parts.push_back(kRoot + ".flavor." + std::string(amount));
  }
  list_members(data.find("extra_specs"), kRoot + ".flavor.extra_specs", parts);
}

void list_image(JsonValue image, std::vector<std::string>& parts) {
  const JsonValue data = data_of(image);
  if (!data.is_object()) return;
  for (const std::string_view least : {"min_disk", "min_ram"}) {
    const auto value = data.find(least);
    if (value && asks(*value)) parts.push_back(kRoot + ".image." + std::string(least));
  }
  list_members(data.find("properties"), kRoot + ".image.properties", parts);
}

void list_parts(JsonValue spec, std::vector<std::string>& parts) {
  for (std::size_t i = 0; i < spec.size(); ++i) {
    const std::string_view key = spec.key(i);
    const JsonValue value = spec.member(i);
    if (among(kIdentity, key)) continue;
    if (key == "flavor") {
      list_flavor(value, parts);
    } else if (key == "image") {
      list_image(value, parts);
    } else if (key == "scheduler_hints") {
      list_members(value, kRoot + ".scheduler_hints", parts);
    } else if (among(kOpened, key)) {
      list_asking_members(value, kRoot + '.' + std::string(key), parts);
    } else if (key == "num_instances") {
      if (value.is_number() && value.number() > 1) parts.push_back(kRoot + ".num_instances");
    } else if (asks(value)) {
      parts.push_back(kRoot + '.' + std::string(key));
    }
  }
}

// An empty text is none, as in Python.
void read_name(JsonFields& fields, std::string_view field, std::string& target) {
  const auto value = fields.value(field);
  if (value && value->is_text() && value->text().empty()) return;
  fields.name_or_null(field, target);
}

void read_destination(JsonFields& spec, VmRequest& vm, JsonErrors& errors) {
  spec.names("ignore_hosts", vm.ignore_hosts);
  spec.names("force_hosts", vm.only_hosts);
  spec.names("force_nodes", vm.only_nodes);
  const auto value = spec.value("requested_destination");
  if (!value || value->is_null()) return;
  JsonFields destination(data_of(*value), kRoot + ".requested_destination", errors);
  std::string host, node;
  read_name(destination, "host", host);
  read_name(destination, "node", node);
  if (!host.empty() && vm.only_hosts.empty()) vm.only_hosts = {host};
  if (!host.empty() && !node.empty() && vm.only_nodes.empty()) vm.only_nodes = {node};
}

std::vector<std::string> texts_in(JsonValue object, std::string_view key) {
  std::vector<std::string> texts;
  const auto list = object.find(key);
  for (std::size_t i = 0; list && list->is_array() && i < list->size(); ++i) {
    if (list->item(i).is_text()) texts.emplace_back(list->item(i).text());
  }
  return texts;
}

// Before version 1.11 a group had "policies" and no "policy".
std::optional<GroupPolicy> policy_in(JsonValue group) {
  const auto policy = group.find("policy");
  if (policy && policy->is_text() && !policy->text().empty()) return parse_group_policy(policy->text());
  const auto policies = texts_in(group, "policies");
  return policies.empty() ? std::nullopt : parse_group_policy(policies.front());
}

// A text, as Nova has it, or a number; anything else is one.
double max_per_host_in(JsonValue group) {
  const auto rules = group.find("_rules");
  const auto limit = rules && rules->is_object() ? rules->find("max_server_per_host") : std::nullopt;
  if (limit && limit->is_number()) return limit->number();
  std::int64_t whole = 1;
  if (limit && limit->is_text())
    std::from_chars(limit->text().data(), limit->text().data() + limit->text().size(), whole);
  return static_cast<double>(whole);
}

// A group without a policy that we know asks for nothing.
void read_group(JsonFields& spec, VmRequest& vm) {
  const auto value = spec.value("instance_group");
  const auto group = value && !value->is_null() ? std::optional(data_of(*value)) : std::nullopt;
  const auto policy = group && group->is_object() ? policy_in(*group) : std::nullopt;
  if (!policy) return;
  ServerGroupTold told{.policy = *policy, .max_per_host = max_per_host_in(*group), .hosts = texts_in(*group, "hosts")};
  const auto id = group->find("uuid");
  if (id && id->is_text()) told.id = parse_uuid(id->text()).value_or(Uuid{});
  for (const std::string& member : texts_in(*group, "members")) {
    if (const auto known = parse_uuid(member)) told.members.push_back(*known);
  }
  vm.group_told = std::move(told);
}

void read_image(JsonFields& spec, VmRequest& vm, JsonErrors& errors) {
  const auto value = spec.value("image");
  if (!value || value->is_null()) return;
  JsonFields image(data_of(*value), kRoot + ".image", errors);
  image.text_or_null("name", vm.image, kMaxName);
}

}  // namespace

std::string nova_text(const Picture& picture, std::uint32_t host, std::string_view key) {
  const std::string_view state = picture[hosts::nova_state].get(host).value_or("");
  if (state.empty()) return {};
  const auto document = JsonDocument::parse(state, "nova_state");
  const auto value = document && document->root().is_object() ? document->root().find(key) : std::nullopt;
  return value && value->is_text() ? std::string(value->text()) : std::string();
}

void read_nova_spec(JsonValue spec, VmRequest& vm, std::uint32_t& count, std::vector<std::string>& parts,
                    JsonErrors& errors) {
  if (!spec.is_object() || !spec.find(kData)) {
    return errors.add(kRoot + ": wanted a RequestSpec primitive with nova_object.data, found " + spec.found());
  }
  const JsonValue data = *spec.find(kData);
  JsonFields fields(data, kRoot, errors);
  if (!errors.none()) return;
  read_flavor(fields, kRoot, vm, errors);
  read_group(fields, vm);
  read_destination(fields, vm, errors);
  read_image(fields, vm, errors);
  fields.uuid("instance_uuid", vm.id);
  read_name(fields, "project_id", vm.project);
  read_name(fields, "availability_zone", vm.zone);
  if (fields.has("num_instances")) fields.whole("num_instances", count, {1, 1000});
  if (vm.name.empty() && !vm.id.is_zero()) vm.name = to_string(vm.id);
  vm.nova_spec = to_json(spec);
  list_parts(data, parts);
}

}  // namespace emplace
