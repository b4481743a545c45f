#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory_resource>
#include <unordered_set>

#include "service/core/json/json.h"

namespace emplace {
namespace {

// JSON's shortest form of a bound may be 6e+05, which nobody wants to read.
std::string bound_text(double bound) {
  constexpr double kMostReadable = 1e15;
  if (std::abs(bound) >= kMostReadable) return json_number(bound);
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, bound, std::chars_format::fixed).ptr};
}

std::string range_text(Range range) { return " from " + bound_text(range.least) + " to " + bound_text(range.most); }

}  // namespace

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool is_name(std::string_view text) {
  return !text.empty() && characters_of(text) <= kMaxName && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

JsonFields::JsonFields(std::optional<JsonValue> value, std::string path, JsonErrors& errors)
    : path_(std::move(path)), errors_(errors) {
  if (value && value->is_object()) {
    object_ = value;
    known_.resize(value->size());
  } else if (value) {
    errors_.add((path_.empty() ? "body" : path_) + ": wanted an object, found " + value->found());
  }
}

bool JsonFields::has(std::string_view name) const {
  if (!object_) return false;
  const auto found = object_->find(name);
  return found && !found->is_null();
}

std::optional<JsonValue> JsonFields::value(std::string_view name) {
  if (!object_) return std::nullopt;
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (object_->key(i) != name) continue;
    known_[i] = true;
    return object_->member(i);
  }
  return std::nullopt;
}

void JsonFields::require(std::string_view name) {
  if (object_ && !has(name)) errors_.add(path_of(name) + ": wanted a value, found none");
}

void JsonFields::wanted(std::string_view field, std::string_view what, JsonValue found) {
  errors_.add(path_of(field) + ": wanted " + std::string(what) + ", found " + found.found());
}

void JsonFields::read_name(std::string_view field, std::string& target, JsonValue found) {
  if (!found.is_text()) return wanted(field, kNameWanted, found);
  if (characters_of(found.text()) > kMaxName) {
    return errors_.add(path_of(field) + ": wanted " + std::string(kNameWanted) + ", found " +
                       std::to_string(characters_of(found.text())) + " characters");
  }
  if (!is_name(found.text())) return wanted(field, kNameWanted, found);
  target = found.text();
}

void JsonFields::read_text(std::string_view field, std::string& target, JsonValue found, std::size_t most) {
  const std::string what = "a text of at most " + std::to_string(most) + " characters without NUL";
  if (!found.is_text()) return wanted(field, what, found);
  if (characters_of(found.text()) > most) {
    return errors_.add(path_of(field) + ": wanted " + what + ", found " + std::to_string(characters_of(found.text())) +
                       " characters");
  }
  if (found.text().find('\0') != std::string_view::npos) return wanted(field, what, found);
  target = found.text();
}

void JsonFields::name(std::string_view field, std::string& target) {
  if (const auto found = value(field)) read_name(field, target, *found);
}

void JsonFields::name_or_null(std::string_view field, std::string& target) {
  const auto found = value(field);
  if (found && !found->is_null()) read_name(field, target, *found);
}

void JsonFields::text(std::string_view field, std::string& target, std::size_t most) {
  if (const auto found = value(field)) read_text(field, target, *found, most);
}

void JsonFields::text_or_null(std::string_view field, std::string& target, std::size_t most) {
  const auto found = value(field);
  if (found && !found->is_null()) read_text(field, target, *found, most);
}

std::optional<JsonValue> JsonFields::list(std::string_view field) {
  auto found = value(field);
  if (!found || found->is_null()) return std::nullopt;
  if (found->is_array()) return found;
  wanted(field, "a list", *found);
  return std::nullopt;
}

void JsonFields::each(std::string_view field, const std::function<void(JsonValue, std::string)>& read) {
  const auto found = list(field);
  for (std::size_t i = 0; found && i < found->size() && errors_.none(); ++i) {
    read(found->item(i), path_of(field) + '[' + std::to_string(i) + ']');
  }
}

// Lists of hosts are long: a path is made only for a fault.
void JsonFields::names(std::string_view field, std::vector<std::string>& target) {
  if (value(field)) target.clear();
  const auto found = list(field);
  if (!found) return;
  std::pmr::monotonic_buffer_resource memory;
  std::pmr::unordered_set<std::string_view> seen(found->size(), &memory);
  target.reserve(found->size());
  for (std::size_t i = 0; i < found->size() && errors_.none(); ++i) {
    const JsonValue item = found->item(i);
    const bool is_one = item.is_text() && is_name(item.text());
    if (is_one && seen.insert(item.text()).second) {
      target.emplace_back(item.text());
    } else {
      errors_.add(fmt::format("{}[{}]: wanted {}, found {}{}", path_of(field), i,
                              is_one ? "each name once" : kNameWanted, item.found(), is_one ? " twice" : ""));
    }
  }
}

void JsonFields::texts_by_name(std::string_view field, std::map<std::string, std::string>& target) {
  const auto found = value(field);
  if (!found || found->is_null()) return;
  if (!found->is_object()) return wanted(field, "an object of texts", *found);
  target.clear();
  JsonFields fields(*found, path_of(field), errors_);
  for (std::size_t i = 0; i < found->size() && errors_.none(); ++i) {
    const std::string key(found->key(i));
    if (!is_name(key)) errors_.add(path_of(field) + ": wanted keys of 1 to 255 characters without control characters");
    fields.read_text(key, target[key], found->member(i), kMaxText);
  }
}

void JsonFields::whole(std::string_view field, std::int64_t& target, Range range) {
  const auto found = value(field);
  if (!found) return;
  const auto number = found->is_number() ? found->whole() : std::nullopt;
  const bool fits = number && static_cast<double>(*number) >= range.least && static_cast<double>(*number) <= range.most;
  if (!fits) return wanted(field, "a whole number" + range_text(range), *found);
  target = *number;
}

void JsonFields::whole(std::string_view field, double& target, Range range) {
  std::int64_t number = 0;
  if (!value(field)) return;
  whole(field, number, range);
  target = static_cast<double>(number);
}

void JsonFields::whole(std::string_view field, std::uint32_t& target, Range range) {
  std::int64_t number = target;
  whole(field, number, range);
  target = static_cast<std::uint32_t>(number);
}

void JsonFields::number(std::string_view field, double& target, Range range) {
  const auto found = value(field);
  if (!found) return;
  if (!found->is_number() || found->number() < range.least || found->number() > range.most) {
    return wanted(field, "a number" + range_text(range), *found);
  }
  target = found->number();
}

void JsonFields::number(std::string_view field, std::optional<double>& target, Range range) {
  const auto found = value(field);
  if (!found) return;
  double number_read = 0;
  if (!found->is_null()) number(field, number_read, range);
  target = found->is_null() ? std::nullopt : std::optional(number_read);
}

void JsonFields::flag(std::string_view field, bool& target) {
  const auto found = value(field);
  if (!found) return;
  if (found->kind() != JsonValue::Kind::kBool) return wanted(field, "true or false", *found);
  target = found->boolean();
}

void JsonFields::uuid(std::string_view field, Uuid& target) {
  const auto found = value(field);
  if (!found || found->is_null()) return;
  const auto id = found->is_text() ? parse_uuid(found->text()) : std::nullopt;
  if (!id) return wanted(field, "a uuid", *found);
  target = *id;
}

void JsonFields::refuse_unknown() {
  for (std::size_t i = 0; i < known_.size(); ++i) {
    if (known_[i]) continue;
    return errors_.add(path_of(shortened(object_->key(i))) + ": wanted no such field, found " +
                       object_->member(i).found());
  }
}

}  // namespace emplace
