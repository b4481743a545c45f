#include "spec.h"

#include <algorithm>

namespace emplace::nova {
namespace {

std::string text_of(const Value* value) { return value && value->text() ? *value->text() : std::string(); }

std::optional<std::string> text_if_any(const Value* value) {
  return value && value->text() ? std::optional(*value->text()) : std::nullopt;
}

std::vector<std::pair<std::string, std::string>> texts_of(const Value* object) {
  std::vector<std::pair<std::string, std::string>> texts;
  const Value::Dict* dict = object ? object->fields().dict() : nullptr;
  if (!dict) return texts;
  for (const auto& [key, value] : *dict) {
    if (!value.is_none()) texts.emplace_back(key, value.str());
  }
  return texts;
}

std::vector<std::string> list_of(const Value* value) {
  std::vector<std::string> texts;
  if (!value || !value->list()) return texts;
  for (const Value& item : *value->list()) texts.push_back(item.str());
  return texts;
}

// Rules travel as texts ("max_server_per_host": "2").
std::int64_t max_per_host(const Value* rules) {
  const Value* limit = rules ? rules->find("max_server_per_host") : nullptr;
  if (!limit) return 1;
  if (const auto whole = limit->whole()) return *whole;
  try {
    return std::stoll(limit->str());
  } catch (const std::logic_error&) {
    throw plugin::Error("request_spec.instance_group: max_server_per_host: wanted a whole number, found " +
                        limit->repr());
  }
}

// Before version 1.11 a group had "policies" and no "policy".
std::optional<Group> group_of(const Value* value) {
  if (!value || value->is_none()) return std::nullopt;
  const Value& data = value->fields();
  Group group;
  group.policy = text_of(data.find("policy"));
  group.policies = list_of(data.find("policies"));
  if (group.policy.empty() && !group.policies.empty()) group.policy = group.policies.front();
  if (group.policies.empty() && !group.policy.empty()) group.policies = {group.policy};
  for (const std::string& member : list_of(data.find("members"))) {
    if (const auto id = exact_uuid(member)) group.members.push_back(*id);
  }
  group.hosts = list_of(data.find("hosts"));
  group.max_server_per_host = max_per_host(data.find("_rules"));
  return group;
}

bool is_rebuild(const Value* hints) {
  const auto types = list_of(hints ? hints->find("_nova_check_type") : nullptr);
  return types.size() == 1 && types.front() == "rebuild";
}

Spec read(std::string_view text) {
  const auto parsed = parse_json(text);
  if (!parsed || !parsed->dict())
    throw plugin::Error("request_spec: wanted a RequestSpec primitive, found no JSON object");
  const Value& data = parsed->fields();
  const Value* flavor = data.find("flavor");
  const Value* image = data.find("image");
  Spec spec;
  spec.from_nova = true;
  spec.rebuild = is_rebuild(data.find("scheduler_hints"));
  if (flavor) {
    spec.extra_specs = texts_of(flavor->fields().find("extra_specs"));
    spec.flavor = text_of(flavor->fields().find("name"));
  }
  if (image) {
    spec.image_properties = texts_of(image->fields().find("properties"));
    spec.image = text_if_any(image->fields().find("id"));
  }
  spec.group = group_of(data.find("instance_group"));
  spec.instance = parse_uuid(text_of(data.find("instance_uuid")));
  spec.project = text_if_any(data.find("project_id"));
  spec.availability_zone = text_of(data.find("availability_zone"));
  spec.numa = numa_request_of(data.find("numa_topology"), data.find("network_metadata"));
  spec.pci_requests = pci_requests_of(data.find("pci_requests"));
  spec.data = data;
  return spec;
}

std::optional<std::string> column_text(const plugin::Table& request, std::string_view column) {
  const auto text = request.column<std::string_view>(column).get(0);
  return text && !text->empty() ? std::optional(std::string(*text)) : std::nullopt;
}

Spec read_own(const plugin::Table& request) {
  Spec spec;
  spec.instance = request.column<plugin::Uuid>("id").get(0);
  spec.project = column_text(request, "project");
  spec.availability_zone = column_text(request, "zone").value_or("");
  spec.flavor = column_text(request, "flavor").value_or("");
  spec.image = column_text(request, "image");
  return spec;
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

const std::string* Spec::image_property(std::string_view name) const {
  for (const auto& [key, value] : image_properties) {
    if (key == name) return &value;
  }
  return nullptr;
}

const Value* Spec::hint(std::string_view name) const {
  const Value* hints = data.find("scheduler_hints");
  const Value* hint = hints ? hints->find(name) : nullptr;
  return hint && hint->list() && hint->list()->size() == 1 ? &hint->list()->front() : hint;
}

std::optional<plugin::Uuid> exact_uuid(std::string_view text) {
  const bool upper = std::ranges::any_of(text, [](char c) { return c >= 'A' && c <= 'F'; });
  return upper ? std::nullopt : parse_uuid(text);
}

std::optional<plugin::Uuid> parse_uuid(std::string_view text) {
  plugin::Uuid id{};
  if (text.size() != 36) return std::nullopt;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int digit = hex(text[i]);
    if (digit < 0) return std::nullopt;
    id[digits / 2] = static_cast<std::uint8_t>(id[digits / 2] * 16 + digit);
    ++digits;
  }
  return id;
}

std::shared_ptr<const Spec> Specs::of(const plugin::Call& call) const {
  const std::string_view text = call.nova_spec();
  if (text.empty()) return std::make_shared<const Spec>(read_own(call.request()));
  const std::lock_guard lock(mutex_);
  if (!last_ || text_ != text) {
    last_ = std::make_shared<const Spec>(read(text));
    text_ = text;
  }
  return last_;
}

}  // namespace emplace::nova
