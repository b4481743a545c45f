#include "service/core/nova_state.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <vector>

namespace emplace {
namespace {

constexpr std::string_view kUnread = "unread", kPushed = "pushed";
// Who a host is and what it is a part of is the cloud's to say.
constexpr std::array<std::string_view, 9> kNotForOthers = {"host",      "nodename",   "hypervisor_hostname", "uuid", "service",
                                                           "placement", "aggregates", "instances",           kUnread};

// JSON by name.
using Fields = std::map<std::string, std::string, std::less<>>;

Fields fields_of(JsonValue object) {
  Fields fields;
  for (std::size_t i = 0; object.is_object() && i < object.size(); ++i) fields.emplace(object.key(i), to_json(object.member(i)));
  return fields;
}

Fields fields_of(std::string_view text) {
  const auto document = text.empty() ? tl::unexpected(Error{}) : JsonDocument::parse(text, "nova_state");
  return document ? fields_of(document->root()) : Fields();
}

std::vector<std::string> names_in(const Fields& fields, std::string_view key) {
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

std::string text_of(const Fields& fields) {
  JsonWriter writer;
  writer.open();
  for (const auto& [name, value] : fields) writer.key(name).raw(value);
  return writer.close().take();
}

// What was pushed before and is no more has been read by nobody.
void put(const Fields& attributes, Fields& state) {
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

Result<std::string> with_pushed(std::string_view state, JsonValue attributes) {
  if (!attributes.is_object()) return fail(ErrorCode::kInvalid, "wanted an object of Nova's HostState attributes, found " + attributes.found());
  Fields pushed;
  for (std::size_t i = 0; i < attributes.size(); ++i) {
    const std::string_view name = attributes.key(i);
    if (std::ranges::find(kNotForOthers, name) != kNotForOthers.end() || name == kPushed) {
      return fail(ErrorCode::kInvalid, std::string(name) + ": wanted none, since the cloud's own word holds, found " + attributes.member(i).found());
    }
    if (!attributes.member(i).is_null()) pushed.emplace(name, to_json(attributes.member(i)));
  }
  Fields fields = fields_of(state);
  put(pushed, fields);
  return text_of(fields);
}

std::string keep_pushed(const std::string& fresh, const std::string& known) {
  const std::string marker = '"' + std::string(kPushed) + '"';
  if (known.find(marker) == std::string::npos) return fresh;
  Fields next = fields_of(fresh);
  const Fields before = fields_of(known);
  const std::vector<std::string> names = names_in(before, kPushed);
  if (names.empty() || next.contains(kPushed)) return fresh;
  Fields pushed;
  for (const std::string& name : names) {
    if (const auto value = before.find(name); value != before.end()) pushed.insert(*value);
  }
  put(pushed, next);
  return text_of(next);
}

}  // namespace emplace
