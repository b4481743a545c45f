#include "service/core/json.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <set>

namespace emplace {
namespace {

constexpr int kMaxDepth = 64;
constexpr unsigned kFlags =
    rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseFullPrecisionFlag;

const rapidjson::Value& tree_of(const void* value) { return *static_cast<const rapidjson::Value*>(value); }

// Hands what the reader finds to the document, and stops it where the text goes deeper than anybody means.
template <typename Document>
struct DepthGuard {
  Document& document;
  int depth = 0;
  bool too_deep = false;

  bool enter() { return !(too_deep = ++depth > kMaxDepth); }
  bool Null() { return document.Null(); }
  bool Bool(bool b) { return document.Bool(b); }
  bool Int(int i) { return document.Int(i); }
  bool Uint(unsigned u) { return document.Uint(u); }
  bool Int64(std::int64_t i) { return document.Int64(i); }
  bool Uint64(std::uint64_t u) { return document.Uint64(u); }
  bool Double(double d) { return document.Double(d); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool copy) { return document.RawNumber(text, size, copy); }
  bool String(const char* text, rapidjson::SizeType size, bool copy) { return document.String(text, size, copy); }
  bool Key(const char* text, rapidjson::SizeType size, bool copy) { return document.Key(text, size, copy); }
  bool StartObject() { return enter() && document.StartObject(); }
  bool EndObject(rapidjson::SizeType members) { return --depth, document.EndObject(members); }
  bool StartArray() { return enter() && document.StartArray(); }
  bool EndArray(rapidjson::SizeType items) { return --depth, document.EndArray(items); }
};

struct Generator {
  rapidjson::MemoryStream stream;
  rapidjson::ParseResult result = {};
  bool too_deep = false;

  template <typename Document>
  bool operator()(Document& document) {
    DepthGuard<Document> guard{document};
    rapidjson::Reader reader;
    result = reader.Parse<kFlags>(stream, guard);
    too_deep = guard.too_deep;
    return !result.IsError();
  }
};

std::string place(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return "line " + std::to_string(line) + ", column " + std::to_string(before.size() - start + 1);
}

std::string_view text_of(const rapidjson::Value& value) { return {value.GetString(), value.GetStringLength()}; }

// A key that an object has twice.
std::optional<std::string_view> repeated_key(const rapidjson::Value& object) {
  std::vector<std::string_view> keys;
  keys.reserve(object.MemberCount());
  for (const auto& member : object.GetObject()) keys.push_back(text_of(member.name));
  std::sort(keys.begin(), keys.end());
  const auto twice = std::adjacent_find(keys.begin(), keys.end());
  return twice == keys.end() ? std::nullopt : std::optional(*twice);
}

std::string join(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + '.' + std::string(name);
}

// The first fault that the reader lets pass. Recursion is bounded by kMaxDepth.
std::optional<std::string> fault(const rapidjson::Value& value, const std::string& path) {
  if (value.IsDouble() && !std::isfinite(value.GetDouble())) return path + ": wanted a finite number, found one too big";
  if (value.IsArray()) {
    for (rapidjson::SizeType i = 0; i < value.Size(); ++i) {
      if (!value[i].IsArray() && !value[i].IsObject() && !value[i].IsDouble()) continue;
      if (auto found = fault(value[i], path + '[' + std::to_string(i) + ']')) return found;
    }
  }
  if (!value.IsObject()) return std::nullopt;
  if (const auto key = repeated_key(value)) return join(path, *key) + ": wanted each field once, found it twice";
  for (const auto& member : value.GetObject()) {
    if (!member.value.IsArray() && !member.value.IsObject() && !member.value.IsDouble()) continue;
    if (auto found = fault(member.value, join(path, text_of(member.name)))) return found;
  }
  return std::nullopt;
}

std::string shortened(std::string_view text) {
  constexpr std::size_t kMost = 60;
  if (text.size() <= kMost) return std::string(text);
  std::size_t cut = kMost;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;  // not inside a character
  return std::string(text.substr(0, cut)) + "…";
}

void append_escaped(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (byte < 0x20) {
          out += "\\u00";
          out += kHex[byte >> 4];
          out += kHex[byte & 15];
        } else {
          out += c;
        }
    }
  }
}

std::string range_text(Range range) { return " from " + json_number(range.least) + " to " + json_number(range.most); }

}  // namespace

// ---- values and documents

struct JsonDocument::Tree {
  rapidjson::Document document;
};

JsonDocument::JsonDocument(std::unique_ptr<Tree> tree) : tree_(std::move(tree)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;
JsonValue JsonDocument::root() const { return JsonValue(static_cast<const rapidjson::Value*>(&tree_->document)); }

Result<JsonDocument> JsonDocument::parse(std::string_view text, std::string_view what) {
  const std::string name(what);
  if (text.empty()) return fail(ErrorCode::kInvalid, name + ": wanted JSON, found nothing");
  if (const void* nul = std::memchr(text.data(), 0, text.size())) {
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(nul) - text.data());
    return fail(ErrorCode::kInvalid, name + ": wanted JSON, found a NUL byte at " + place(text, offset));
  }
  auto tree = std::make_unique<Tree>();
  Generator generator{rapidjson::MemoryStream(text.data(), text.size())};
  tree->document.Populate(generator);
  if (generator.too_deep) {
    return fail(ErrorCode::kInvalid, name + ": wanted JSON at most 64 deep, found more at " +
                                         place(text, generator.result.Offset()));
  }
  if (generator.result.IsError()) {
    return fail(ErrorCode::kInvalid, name + ": wanted JSON, found a fault at " + place(text, generator.result.Offset()) +
                                         ": " + rapidjson::GetParseError_En(generator.result.Code()));
  }
  if (auto found = fault(tree->document, "")) return fail(ErrorCode::kInvalid, *std::move(found));
  return JsonDocument(std::move(tree));
}

JsonValue::Kind JsonValue::kind() const {
  switch (tree_of(value_).GetType()) {
    case rapidjson::kNullType: return Kind::kNull;
    case rapidjson::kFalseType:
    case rapidjson::kTrueType: return Kind::kBool;
    case rapidjson::kNumberType: return Kind::kNumber;
    case rapidjson::kStringType: return Kind::kText;
    case rapidjson::kArrayType: return Kind::kArray;
    case rapidjson::kObjectType: return Kind::kObject;
  }
  return Kind::kNull;
}

bool JsonValue::boolean() const { return tree_of(value_).IsTrue(); }
double JsonValue::number() const { return tree_of(value_).GetDouble(); }
std::string_view JsonValue::text() const { return text_of(tree_of(value_)); }

std::optional<std::int64_t> JsonValue::whole() const {
  const auto& value = tree_of(value_);
  if (value.IsInt64()) return value.GetInt64();
  if (!value.IsDouble()) return std::nullopt;
  const double number = value.GetDouble();
  constexpr double kExact = 9007199254740992.0;  // 2^53: beyond it neighbours are no longer told apart
  if (std::trunc(number) != number || std::abs(number) > kExact) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

// A number keeps its kind: 1.0 stays 1.0, for readers that tell whole numbers from others.
std::string JsonValue::number_text() const {
  const auto& value = tree_of(value_);
  if (value.IsUint64()) return std::to_string(value.GetUint64());
  if (value.IsInt64()) return std::to_string(value.GetInt64());
  std::string text = json_number(value.GetDouble());
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::size_t JsonValue::size() const {
  const auto& value = tree_of(value_);
  return value.IsArray() ? value.Size() : value.MemberCount();
}

JsonValue JsonValue::item(std::size_t i) const { return JsonValue(&tree_of(value_)[static_cast<rapidjson::SizeType>(i)]); }
std::string_view JsonValue::key(std::size_t i) const {
  return text_of((tree_of(value_).MemberBegin() + static_cast<std::ptrdiff_t>(i))->name);
}
JsonValue JsonValue::member(std::size_t i) const {
  return JsonValue(&(tree_of(value_).MemberBegin() + static_cast<std::ptrdiff_t>(i))->value);
}

std::optional<JsonValue> JsonValue::find(std::string_view key) const {
  for (const auto& member : tree_of(value_).GetObject()) {
    if (text_of(member.name) == key) return JsonValue(&member.value);
  }
  return std::nullopt;
}

std::string JsonValue::found() const {
  switch (kind()) {
    case Kind::kNull: return "null";
    case Kind::kBool: return boolean() ? "true" : "false";
    case Kind::kNumber: return number_text();
    case Kind::kText: return json_text(shortened(text()));
    case Kind::kArray: return "a list";
    case Kind::kObject: return "an object";
  }
  return "";
}

// ---- fields

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName &&
         std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
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
  if (found.text().size() > kMaxName) {
    return errors_.add(path_of(field) + ": wanted " + std::string(kNameWanted) + ", found " +
                       std::to_string(found.text().size()) + " bytes");
  }
  if (!is_name(found.text())) return wanted(field, kNameWanted, found);
  target = found.text();
}

void JsonFields::read_text(std::string_view field, std::string& target, JsonValue found, std::size_t most) {
  const std::string what = "a text of at most " + std::to_string(most) + " bytes without NUL";
  if (!found.is_text()) return wanted(field, what, found);
  if (found.text().size() > most) {
    return errors_.add(path_of(field) + ": wanted " + what + ", found " + std::to_string(found.text().size()) + " bytes");
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

void JsonFields::each(std::string_view field, const std::function<void(JsonValue, std::string)>& read) {
  const auto found = value(field);
  if (!found || found->is_null()) return;
  if (!found->is_array()) return wanted(field, "a list", *found);
  for (std::size_t i = 0; i < found->size() && errors_.none(); ++i) {
    read(found->item(i), path_of(field) + '[' + std::to_string(i) + ']');
  }
}

void JsonFields::names(std::string_view field, std::vector<std::string>& target) {
  if (value(field)) target.clear();
  std::set<std::string_view> seen;
  each(field, [&](JsonValue item, const std::string& path) {
    if (!item.is_text() || !is_name(item.text())) {
      return errors_.add(path + ": wanted " + std::string(kNameWanted) + ", found " + item.found());
    }
    if (!seen.insert(item.text()).second) {
      return errors_.add(path + ": wanted each name once, found " + item.found() + " twice");
    }
    target.emplace_back(item.text());
  });
}

void JsonFields::texts_by_name(std::string_view field, std::map<std::string, std::string>& target) {
  const auto found = value(field);
  if (!found || found->is_null()) return;
  if (!found->is_object()) return wanted(field, "an object of texts", *found);
  target.clear();
  JsonFields fields(*found, path_of(field), errors_);
  for (std::size_t i = 0; i < found->size() && errors_.none(); ++i) {
    const std::string key(found->key(i));
    if (!is_name(key)) errors_.add(path_of(field) + ": wanted keys of 1 to 255 bytes without control characters");
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

// ---- writing

void JsonWriter::separate() {
  if (!first_) text_ += ',';
  first_ = false;
}

JsonWriter& JsonWriter::open() {
  separate();
  text_ += '{';
  first_ = true;
  return *this;
}
JsonWriter& JsonWriter::close() {
  text_ += '}';
  first_ = false;
  return *this;
}
JsonWriter& JsonWriter::open_list() {
  separate();
  text_ += '[';
  first_ = true;
  return *this;
}
JsonWriter& JsonWriter::close_list() {
  text_ += ']';
  first_ = false;
  return *this;
}
JsonWriter& JsonWriter::key(std::string_view name) {
  text(name);
  text_ += ':';
  first_ = true;
  return *this;
}
JsonWriter& JsonWriter::text(std::string_view value) {
  separate();
  text_ += '"';
  append_escaped(text_, value);
  text_ += '"';
  return *this;
}
JsonWriter& JsonWriter::number(double value) { return raw(std::isfinite(value) ? json_number(value) : "null"); }
JsonWriter& JsonWriter::whole(std::int64_t value) { return raw(std::to_string(value)); }
JsonWriter& JsonWriter::flag(bool value) { return raw(value ? "true" : "false"); }
JsonWriter& JsonWriter::null() { return raw("null"); }
JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  text_ += json;
  return *this;
}

JsonWriter& JsonWriter::value(JsonValue value) {
  switch (value.kind()) {
    case JsonValue::Kind::kNull: return null();
    case JsonValue::Kind::kBool: return flag(value.boolean());
    case JsonValue::Kind::kText: return text(value.text());
    case JsonValue::Kind::kNumber: return raw(value.number_text());
    case JsonValue::Kind::kArray:
      open_list();
      for (std::size_t i = 0; i < value.size(); ++i) this->value(value.item(i));
      return close_list();
    case JsonValue::Kind::kObject:
      open();
      for (std::size_t i = 0; i < value.size(); ++i) key(value.key(i)).value(value.member(i));
      return close();
  }
  return *this;
}

std::string json_text(std::string_view value) { return JsonWriter().text(value).take(); }

std::string json_number(double value) {
  if (value == 0 && std::signbit(value)) return "-0.0";  // "-0" would be read as the whole number 0
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), end};
}

std::string to_json(JsonValue value) { return JsonWriter().value(value).take(); }

}  // namespace emplace
