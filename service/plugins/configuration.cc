#include "service/plugins/configuration.h"

// None of RapidJSON's two kinds of regular expressions: its own trips over some patterns, and std::regex runs out of
// stack on others. Patterns are refused instead.
#define RAPIDJSON_SCHEMA_USE_INTERNALREGEX 0
#define RAPIDJSON_SCHEMA_USE_STDREGEX 0
#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/schema.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cmath>

#include "service/core/json/json_numbers.h"

namespace emplace {
namespace {

constexpr std::size_t kLong = 200, kLongList = 1000;  // characters of a key, of a list of them, in a message

constexpr std::string_view kTypes[] = {"number", "integer", "boolean", "string", "array", "object"};

Result<void> check_property(const std::string& name, JsonValue schema) {
  const auto type = schema.is_object() ? schema.find("type") : std::nullopt;
  const bool known = type && type->is_text() && std::ranges::find(kTypes, type->text()) != std::end(kTypes);
  if (!known) {
    return fail(ErrorCode::kInvalid,
                fmt::format("configuration.properties.{}.type: wanted one of number, integer, boolean, string, array, "
                            "object, found {}",
                            name, type ? type->found() : "none"));
  }
  if (!schema.find("description")) {
    return fail(ErrorCode::kInvalid,
                fmt::format("configuration.properties.{}.description: wanted a sentence, found none", name));
  }
  return {};
}

bool requires_key(JsonValue schema, std::string_view key) {
  const auto required = schema.find("required");
  for (std::size_t i = 0; required && required->is_array() && i < required->size(); ++i) {
    if (required->item(i).is_text() && required->item(i).text() == key) return true;
  }
  return false;
}

// Below this a double is a whole number of 64 bits, as RapidJSON's schemas take for granted when they compare numbers.
constexpr double kNumbersEnd = 0x1p63;

// Recursion is bounded by the depth that JsonDocument takes.
bool has_huge_number(JsonValue json) {
  if (json.is_number()) return !(std::fabs(json.number()) < kNumbersEnd);
  for (std::size_t i = 0; json.is_array() && i < json.size(); ++i) {
    if (has_huge_number(json.item(i))) return true;
  }
  for (std::size_t i = 0; json.is_object() && i < json.size(); ++i) {
    if (has_huge_number(json.member(i))) return true;
  }
  return false;
}

using Is = bool (JsonValue::*)() const;

bool all_items(JsonValue list, Is is) {
  for (std::size_t i = 0; list.is_array() && i < list.size(); ++i) {
    if (!(list.item(i).*is)()) return false;
  }
  return true;
}

bool names_alone(JsonValue dependencies) {
  for (std::size_t i = 0; dependencies.is_object() && i < dependencies.size(); ++i) {
    if (!all_items(dependencies.member(i), &JsonValue::is_text)) return false;
  }
  return true;
}

// Patterns can take for ever, references can lead to themselves, and of a combination of what is no schema RapidJSON
// uses memory that it never wrote; it takes each thing that depends on another for a name.
std::optional<std::string> unfit_member(std::string_view key, JsonValue value) {
  if (key == "patternProperties" || (key == "pattern" && value.is_text())) {
    return "wanted a schema without patterns, found one";
  }
  if (key == "$ref" && value.is_text()) return "wanted a schema without references, found one";
  if (key == "not" && !value.is_object()) return "not: wanted a schema, found " + value.found();
  if (key == "dependencies" && !names_alone(value))
    return "dependencies: wanted lists of names, found another value in one";
  const bool combines = key == "allOf" || key == "anyOf" || key == "oneOf";
  if (combines && !all_items(value, &JsonValue::is_object))
    return std::string(key) + ": wanted schemas, found another value";
  return std::nullopt;
}

// The first of them, anywhere.
std::optional<std::string> unfit_part(JsonValue schema) {
  std::optional<std::string> unfit;
  for (std::size_t i = 0; schema.is_array() && i < schema.size() && !unfit; ++i) unfit = unfit_part(schema.item(i));
  for (std::size_t i = 0; schema.is_object() && i < schema.size() && !unfit; ++i) {
    unfit = unfit_member(schema.key(i), schema.member(i));
    if (!unfit) unfit = unfit_part(schema.member(i));
  }
  return unfit;
}

Result<void> check_properties(JsonValue schema) {
  if (const auto unfit = unfit_part(schema)) return fail(ErrorCode::kInvalid, "configuration: " + *unfit);
  if (has_huge_number(schema))
    return fail(ErrorCode::kInvalid, "configuration: wanted numbers below 2^63 in the schema, found a greater one");
  const auto type = schema.is_object() ? schema.find("type") : std::nullopt;
  const auto properties = schema.is_object() ? schema.find("properties") : std::nullopt;
  if (!type || !type->is_text() || type->text() != "object" || !properties || !properties->is_object()) {
    return fail(ErrorCode::kInvalid, "configuration: wanted a schema of type object with properties, found another");
  }
  for (std::size_t i = 0; i < properties->size(); ++i) {
    const std::string name(properties->key(i));
    if (const auto checked = check_property(shortened(name), properties->member(i)); !checked) return checked;
    if (!properties->member(i).find("default") && !requires_key(schema, name)) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("configuration.properties.{}: wanted a default or a place in \"required\", found neither",
                              shortened(name)));
    }
  }
  return {};
}

// The members of `given` by the schema's properties, in their order, with defaults where it has none.
Result<std::string> fill_in(JsonValue schema, JsonValue given) {
  const JsonValue properties = *schema.find("properties");
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (properties.find(given.key(i))) continue;
    std::string known;
    for (std::size_t p = 0; p < properties.size(); ++p) known += (p ? ", " : "") + std::string(properties.key(p));
    return fail(ErrorCode::kInvalid,
                fmt::format("{}: wanted one of: {}; found an unknown key", shortened(std::string(given.key(i)), kLong),
                            known.empty() ? "nothing" : shortened(known, kLongList)));
  }
  JsonWriter out;
  out.open();
  for (std::size_t i = 0; i < properties.size(); ++i) {
    const auto value = given.find(properties.key(i));
    const auto chosen = value ? value : properties.member(i).find("default");
    if (!chosen)
      return fail(ErrorCode::kInvalid,
                  fmt::format("{}: wanted a value, found none", shortened(std::string(properties.key(i)), kLong)));
    if (has_huge_number(*chosen))
      return fail(ErrorCode::kInvalid, fmt::format("{}: wanted numbers below 2^63, found a greater one",
                                                   shortened(std::string(properties.key(i)), kLong)));
    out.key(properties.key(i)).value(*chosen);
  }
  return out.close().take();
}

std::string text_of(const rapidjson::Pointer& pointer) {
  rapidjson::StringBuffer buffer;
  pointer.Stringify(buffer);
  const std::string text(buffer.GetString(), buffer.GetSize());
  return text.empty() ? text : text.substr(1);
}

std::string joined(const std::string& path, std::string key) {
  if (path.empty()) return key;
  std::ranges::replace(key, '/', '.');
  return key.empty() ? path : path + '.' + key;
}

std::string wanted_by(const rapidjson::Document& schema, const rapidjson::Pointer& where, const char* keyword) {
  const rapidjson::Value* part = where.Get(schema);
  if (part == nullptr || !part->IsObject() || !part->HasMember(keyword)) return keyword;
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  (*part)[keyword].Accept(writer);
  return fmt::format("{} {}", keyword, buffer.GetString());
}

std::string found_in(const rapidjson::Document& document, const rapidjson::Pointer& where) {
  const rapidjson::Value* part = where.Get(document);
  if (part == nullptr) return "nothing";
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  part->Accept(writer);
  return buffer.GetString();
}

// Both texts were read by JsonDocument before, so they are JSON of bounded depth.
Result<void> validate(const std::string& schema_json, const std::string& json, const std::string& path = {}) {
  rapidjson::Document schema_document, document;
  if (!read_exactly(schema_json, schema_document) || !read_exactly(json, document)) {
    return fail(ErrorCode::kInternal, "JSON that was read once cannot be read again");
  }
  const rapidjson::SchemaDocument schema(schema_document);
  rapidjson::SchemaValidator validator(schema);
  if (document.Accept(validator)) return {};
  const auto key = validator.GetInvalidDocumentPointer();
  const std::string wanted =
      wanted_by(schema_document, validator.GetInvalidSchemaPointer(), validator.GetInvalidSchemaKeyword());
  return fail(ErrorCode::kInvalid, fmt::format("{}: wanted {}, found {}", shortened(joined(path, text_of(key)), kLong),
                                               shortened(wanted, kLong), shortened(found_in(document, key), kLong)));
}

Result<std::string> complete(const std::string& schema_json, std::string_view json) {
  const auto schema = JsonDocument::parse(schema_json, "schema");
  if (!schema) return tl::unexpected(schema.error());
  const auto given = JsonDocument::parse(json, "configuration");
  if (!given) return tl::unexpected(given.error());
  if (!given->root().is_object()) {
    return fail(ErrorCode::kInvalid, "wanted an object, found " + given->root().found());
  }
  auto filled = fill_in(schema->root(), given->root());
  if (!filled) return filled;
  if (const auto valid = validate(schema_json, *filled); !valid) return tl::unexpected(valid.error());
  return filled;
}

// Null is a text that is not there.
bool is_no_text(JsonValue schema, JsonValue value) {
  const auto type = schema.find("type");
  return value.is_null() && type && type->is_text() && type->text() == "string";
}

// The members of an object that a schema with its own properties describes, without texts that are not there.
Result<std::string> members_to_check(const Manifest& manifest, std::string_view path, JsonValue properties,
                                     JsonValue value) {
  JsonWriter given;
  given.open();
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto property = properties.find(value.key(i));
    if (!property) {
      return fail(ErrorCode::kInvalid,
                  fmt::format("{}.{}: wanted an option that the plugin {} has, found an unknown one", path,
                              shortened(value.key(i)), manifest.id));
    }
    if (!is_no_text(*property, value.member(i))) given.key(value.key(i)).value(value.member(i));
  }
  return given.close().take();
}

}  // namespace

std::optional<Result<void>> check_override(const Manifest& manifest, std::string_view key, JsonValue value) {
  const auto schema = JsonDocument::parse(manifest.configuration_schema, "schema");
  const auto properties = schema ? schema->root().find("properties") : std::nullopt;
  const auto property = properties ? properties->find(key) : std::nullopt;
  if (!property) return std::nullopt;
  const std::string path(key);
  if (has_huge_number(value)) {
    return fail(ErrorCode::kInvalid, fmt::format("{}: wanted numbers below 2^63, found a greater one", path));
  }
  const auto members = property->find("properties");
  const auto given = members && value.is_object() ? members_to_check(manifest, path, *members, value) : to_json(value);
  if (!given) return tl::unexpected(given.error());
  return validate(to_json(*property), *given, path);
}

Result<void> check_schema(const Manifest& manifest) {
  const auto schema = JsonDocument::parse(manifest.configuration_schema, "configuration");
  auto checked = schema ? check_properties(schema->root()) : tl::unexpected(schema.error());
  if (checked && !schema->root().find("required")) {
    const auto defaults = complete(manifest.configuration_schema, "{}");
    if (!defaults)
      checked = fail(ErrorCode::kInvalid, "configuration: a default is not valid: " + defaults.error().message);
  }
  if (!checked) return fail(checked.error().code, manifest.file.string() + ": " + checked.error().message);
  return {};
}

Result<std::string> complete_configuration(const Manifest& manifest, std::string_view json) {
  auto filled = complete(manifest.configuration_schema, json);
  if (!filled) {
    return fail(ErrorCode::kInvalid,
                fmt::format("plugin {} ({}): config: {}", manifest.id, manifest.file.string(), filled.error().message));
  }
  return filled;
}

Result<void> ConfigurationTable::fill() {
  const auto document = JsonDocument::parse(json_, "configuration");
  if (!document) return tl::unexpected(document.error());
  const JsonValue object = document->root();
  for (std::size_t i = 0; i < object.size(); ++i) {
    add(texts_.emplace_back(object.key(i)).c_str(), object.member(i));
  }
  raw_ = {sizeof(emplace_configuration), 0, json_.c_str(), json_.size(), &table_.seal()};
  return {};
}

void ConfigurationTable::add(const char* name, JsonValue value) {
  if (value.is_number()) {
    table_.add_column(name, EMPLACE_F64);
    table_.add(std::optional(value.number()));
  } else if (value.kind() == JsonValue::Kind::kBool) {
    table_.add_column(name, EMPLACE_U8);
    table_.add(std::optional<std::uint8_t>(value.boolean() ? 1 : 0));
  } else {
    table_.add_column(name, EMPLACE_UTF8);
    if (value.is_null()) return table_.add_text(std::nullopt);
    table_.add_text(value.is_text() ? value.text() : std::string_view(texts_.emplace_back(to_json(value))));
  }
}

}  // namespace emplace
