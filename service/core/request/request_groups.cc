#include "service/core/request/request_groups.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "service/core/json/json.h"
#include "service/core/request/nova_flavor.h"

namespace emplace {
namespace {

constexpr std::string_view kHyperthreading = "HW_CPU_HYPERTHREADING";

bool is_suffix(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::optional<JsonValue> below(std::optional<JsonValue> value, std::string_view key) {
  if (!value || !data_of(*value).is_object()) return std::nullopt;
  const auto found = data_of(*value).find(key);
  return found && !found->is_null() ? found : std::nullopt;
}

template <typename Take>
void each_text(std::optional<JsonValue> list, Take take) {
  for (std::size_t i = 0; list && list->is_array() && i < list->size(); ++i) {
    if (list->item(i).is_text()) take(std::string(list->item(i).text()));
  }
}

std::set<std::string> names_of(std::optional<JsonValue> list) {
  std::set<std::string> names;
  each_text(list, [&](std::string name) { names.insert(std::move(name)); });
  return names;
}

std::vector<std::vector<std::string>> lists_of(std::optional<JsonValue> lists) {
  std::vector<std::vector<std::string>> all;
  for (std::size_t i = 0; lists && lists->is_array() && i < lists->size(); ++i) {
    each_text(lists->item(i), [&, &list = all.emplace_back()](std::string name) { list.push_back(std::move(name)); });
  }
  return all;
}

std::string text_of(std::optional<JsonValue> value) {
  return value && value->is_text() ? std::string(value->text()) : std::string();
}

// "resources_NET1:CUSTOM_BW": of the group "_NET1".
void read_extra_spec(std::string_view key, JsonValue value, RequestGroups& groups) {
  const std::size_t colon = key.find(':');
  const std::string text = value.is_text() ? std::string(value.text()) : to_json(value);
  if (key == "group_policy" && (text == "none" || text == "isolate")) groups.policy = text;
  if (colon == std::string_view::npos) return;
  const std::string name(key.substr(colon + 1));
  const auto group_of = [&](std::string_view prefix) -> RequestGroup* {
    const bool fits = key.starts_with(prefix) && is_suffix(key.substr(prefix.size(), colon - prefix.size()));
    return fits ? &groups.suffixed[std::string(key.substr(prefix.size(), colon - prefix.size()))] : nullptr;
  };
  if (RequestGroup* const group = group_of("resources")) {
    double amount = 0;
    std::from_chars(text.data(), text.data() + text.size(), amount);
    group->resources[name] = amount;
  } else if (RequestGroup* const traits = group_of("trait")) {
    if (text == "required") traits->required.insert(name);
    if (text == "forbidden") traits->forbidden.insert(name);
  }
}

// What a port or a device asks for.
void read_requested(JsonValue requested, RequestGroups& groups) {
  const std::string suffix = text_of(below(requested, "requester_id"));
  if (suffix.empty()) return;
  RequestGroup& group = groups.suffixed[suffix];
  const auto resources = below(requested, "resources");
  for (std::size_t i = 0; resources && resources->is_object() && i < resources->size(); ++i) {
    if (resources->member(i).is_number())
      group.resources[std::string(resources->key(i))] = resources->member(i).number();
  }
  group.required = names_of(below(requested, "required_traits"));
  group.forbidden = names_of(below(requested, "forbidden_traits"));
  group.aggregates = lists_of(below(requested, "aggregates"));
  group.forbidden_aggregates = names_of(below(requested, "forbidden_aggregates"));
  group.in_tree = text_of(below(requested, "in_tree"));
}

void read_flavor_groups(JsonValue spec, RequestGroups& groups) {
  const auto extra_specs = below(below(spec, "flavor"), "extra_specs");
  for (std::size_t i = 0; extra_specs && extra_specs->is_object() && i < extra_specs->size(); ++i) {
    read_extra_spec(extra_specs->key(i), extra_specs->member(i), groups);
  }
}

// "uuid,uuid": one of these.
std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t to = std::min(text.find(',', from), text.size());
    parts.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  return parts;
}

void read_rest(JsonValue spec, RequestGroups& groups) {
  const auto requested = below(spec, "requested_resources");
  for (std::size_t i = 0; requested && requested->is_array() && i < requested->size(); ++i) {
    read_requested(requested->item(i), groups);
  }
  const auto level = below(spec, "request_level_params");
  groups.root_required = names_of(below(level, "root_required"));
  groups.root_forbidden = names_of(below(level, "root_forbidden"));
  groups.same_subtree = lists_of(below(level, "same_subtree"));
  const auto destination = below(spec, "requested_destination");
  each_text(below(destination, "aggregates"),
            [&](const std::string& some) { groups.plain.aggregates.push_back(parts_of(some)); });
  groups.plain.forbidden_aggregates = names_of(below(destination, "forbidden_aggregates"));
}

// What the vm takes but for what the flavor's other groups ask for.
void fill_plain(const VmRequest& vm, RequestGroups& groups) {
  ResourceAmounts& rest = groups.plain.resources;
  rest = ResourceAmounts(vm.resources.begin(), vm.resources.end());
  if (!rest.contains("VCPU") && !rest.contains("PCPU")) rest["VCPU"] = vm.vcpus;
  rest.emplace("MEMORY_MB", vm.memory_mib);
  rest.emplace("DISK_GB", vm.disk_gib);
  for (const auto& [suffix, group] : groups.suffixed) {
    for (const auto& [name, amount] : group.resources) rest[name] -= amount;
  }
  groups.plain.required.insert(vm.traits.begin(), vm.traits.end());
  groups.plain.forbidden.insert(vm.forbidden_traits.begin(), vm.forbidden_traits.end());
}

void strip_zeros(RequestGroups& groups) {
  const auto strip = [](RequestGroup& group) {
    std::erase_if(group.resources, [](const auto& one) { return one.second <= 0; });
  };
  strip(groups.plain);
  for (auto& [suffix, group] : groups.suffixed) strip(group);
  std::erase_if(groups.suffixed, [](const auto& one) {
    const RequestGroup& group = one.second;
    return group.resources.empty() && group.required.empty() && group.forbidden.empty() && group.aggregates.empty() &&
           group.forbidden_aggregates.empty();
  });
}

}  // namespace

RequestGroups request_groups(const VmRequest& vm) {
  RequestGroups groups;
  const auto document =
      vm.nova_spec.empty() ? tl::unexpected(Error{}) : JsonDocument::parse(vm.nova_spec, "request_spec");
  if (document) read_flavor_groups(data_of(document->root()), groups);
  fill_plain(vm, groups);
  if (document) read_rest(data_of(document->root()), groups);
  strip_zeros(groups);
  if (groups.suffixed.size() > 1 && groups.policy.empty()) groups.policy = "none";
  return groups;
}

std::optional<RequestGroups> with_shared_cores(const VmRequest& vm) {
  const auto document =
      vm.nova_spec.empty() ? tl::unexpected(Error{}) : JsonDocument::parse(vm.nova_spec, "request_spec");
  if (!document) return std::nullopt;
  const auto extra_specs = below(below(document->root(), "flavor"), "extra_specs");
  const auto properties = below(below(document->root(), "image"), "properties");
  const std::string of_flavor = text_of(below(extra_specs, "hw:cpu_policy"));
  if ((of_flavor.empty() ? text_of(below(properties, "hw_cpu_policy")) : of_flavor) != "dedicated") return std::nullopt;
  VmRequest shared = vm;
  shared.resources.erase("PCPU");
  shared.resources.erase("VCPU");
  // What the policy of threads makes of it goes, too.
  const std::string trait(kHyperthreading), wanted = text_of(below(extra_specs, "trait:" + trait));
  std::erase(shared.traits, trait);
  std::erase(shared.forbidden_traits, trait);
  if (wanted == "required" || names_of(below(properties, "traits_required")).contains(trait))
    shared.traits.push_back(trait);
  if (wanted == "forbidden") shared.forbidden_traits.push_back(trait);
  return request_groups(shared);
}

}  // namespace emplace
