#include "service/core/change/nova_state.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "service/core/json/json.h"

namespace emplace {
namespace {

constexpr std::string_view kUnread = "unread", kPushed = "pushed";
// Who a host is and what it is a part of is the cloud's to say.
constexpr std::array<std::string_view, 10> kNotForOthers = {"host",    "nodename",  "hypervisor_hostname", "uuid",
                                                            "service", "placement", "aggregates",          "instances",
                                                            kUnread,   kPushed};

// What an attribute is, where rules read it. Nova's database keeps what is no single value as a text of JSON.
struct Shape {
  std::string_view name, wanted;
  bool (*fits)(JsonValue);
};

bool is_list(JsonValue value) { return value.is_array(); }
bool is_text(JsonValue value) { return value.is_text(); }
bool is_object(JsonValue value) { return value.is_object(); }
bool is_object_or_text(JsonValue value) { return value.is_object() || value.is_text(); }
bool is_list_or_object(JsonValue value) { return value.is_array() || value.is_object(); }
bool is_count(JsonValue value) {
  return value.is_number() && value.number() >= 0 && value.number() == std::floor(value.number());
}
bool is_combinations(JsonValue value) {
  for (std::size_t i = 0; value.is_array() && i < value.size(); ++i) {
    if (!value.item(i).is_array() || value.item(i).size() != 3) return false;
  }
  return value.is_array();
}

constexpr std::array kShapes{
    Shape{"numa_topology", "an object, or a text of one", is_object},
    Shape{"pci_stats", "a list of pools or an object, or a text of these", is_list_or_object},
    Shape{"metrics", "a list, or a text of one", is_list},
    Shape{"stats", "an object, or a text of one", is_object},
    Shape{"supported_instances", "a list of [architecture, hypervisor, mode], or a text of one", is_combinations},
    Shape{"cpu_info", "an object, or a text of one", is_object_or_text},
    Shape{"num_io_ops", "a whole number from 0", is_count},
    Shape{"num_instances", "a whole number from 0", is_count},
    Shape{"failed_builds", "a whole number from 0", is_count},
    Shape{"cell_uuid", "a text", is_text},
};

// JSON by name.
using AttributeTexts = std::map<std::string, std::string, std::less<>>;

AttributeTexts fields_of(JsonValue object) {
  AttributeTexts fields;
  for (std::size_t i = 0; object.is_object() && i < object.size(); ++i)
    fields.emplace(object.key(i), to_json(object.member(i)));
  return fields;
}

AttributeTexts fields_of(std::string_view text) {
  const auto document = text.empty() ? tl::unexpected(Error{}) : JsonDocument::parse(text, "nova_state");
  return document ? fields_of(document->root()) : AttributeTexts();
}

std::vector<std::string> names_in(const AttributeTexts& fields, std::string_view key) {
  std::vector<std::string> names;
  const auto found = fields.find(key);
  const auto list = found == fields.end() ? tl::unexpected(Error{}) : JsonDocument::parse(found->second, "names");
  if (!list || !list->root().is_array()) return names;
  for (std::size_t i = 0; i < list->root().size(); ++i) {
    if (list->root().item(i).is_text()) names.emplace_back(list->root().item(i).text());
  }
  return names;
}

std::string list_of(const std::vector<std::string>& names) {
  JsonWriter writer;
  writer.open_list();
  for (const std::string& name : names) writer.text(name);
  return writer.close_list().take();
}

std::string text_of(const AttributeTexts& fields) {
  JsonWriter writer;
  writer.open();
  for (const auto& [name, value] : fields) writer.key(name).raw(value);
  return writer.close().take();
}

// What was pushed before and is no more has been read by nobody.
void put(const AttributeTexts& attributes, AttributeTexts& state) {
  std::vector<std::string> unread = names_in(state, kUnread), pushed;
  for (const std::string& name : names_in(state, kPushed)) {
    if (state.erase(name) > 0 && !attributes.contains(name)) unread.push_back(name);
  }
  for (const auto& [name, value] : attributes) {
    state[name] = value;
    std::erase(unread, name);
    pushed.push_back(name);
  }
  state.insert_or_assign(std::string(kUnread), list_of(unread));
  state.insert_or_assign(std::string(kPushed), list_of(pushed));
}

}  // namespace

Result<std::string> nova_attribute(std::string_view name, JsonValue value) {
  const auto wrong = [&](std::string_view wanted) {
    return fail(ErrorCode::kInvalid, shortened(name) + ": wanted " + std::string(wanted) + ", found " + value.found());
  };
  if (std::ranges::find(kNotForOthers, name) != kNotForOthers.end()) {
    return wrong("none, since the cloud's own word holds");
  }
  const auto shape = std::ranges::find(kShapes, name, &Shape::name);
  if (shape == kShapes.end() || value.is_null() || shape->fits(value)) return to_json(value);
  const auto document = value.is_text() ? JsonDocument::parse(value.text(), name) : tl::unexpected(Error{});
  const bool is_whole = document && (document->root().is_object() || document->root().is_array());
  if (is_whole && shape->fits(document->root())) return to_json(document->root());
  return wrong(shape->wanted);
}

Result<std::string> with_pushed(std::string_view state, std::string_view attributes) {
  const auto document = JsonDocument::parse(attributes);
  if (!document) return tl::unexpected(document.error());
  const JsonValue told = document->root();
  if (!told.is_object())
    return fail(ErrorCode::kInvalid, "wanted an object of Nova's HostState attributes, found " + told.found());
  AttributeTexts pushed;
  for (std::size_t i = 0; i < told.size(); ++i) {
    auto attribute = nova_attribute(told.key(i), told.member(i));
    if (!attribute) return attribute;
    pushed.emplace(told.key(i), *std::move(attribute));
  }
  AttributeTexts fields = fields_of(state);
  put(pushed, fields);
  std::string next = text_of(fields);
  if (next.size() > kMostNovaState)
    return fail(ErrorCode::kInvalid, "wanted at most 4 MiB of attributes in all, found more");
  return next;
}

std::string keep_pushed(const std::string& fresh, const std::string& known) {
  const std::string marker = '"' + std::string(kPushed) + '"';
  if (known.find(marker) == std::string::npos) return fresh;
  AttributeTexts next = fields_of(fresh);
  const AttributeTexts before = fields_of(known);
  const std::vector<std::string> names = names_in(before, kPushed);
  if (names.empty() || next.contains(kPushed)) return fresh;
  AttributeTexts pushed;
  for (const std::string& name : names) {
    if (const auto value = before.find(name); value != before.end()) pushed.insert(*value);
  }
  put(pushed, next);
  return text_of(next);
}

}  // namespace emplace
