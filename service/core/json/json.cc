#include "service/core/json/json.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "service/core/json/json_numbers.h"

namespace emplace {
namespace {

constexpr int kMaxDepth = 64;
constexpr unsigned kFlags =
    rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;

const rapidjson::Value& tree_of(const void* value) { return *static_cast<const rapidjson::Value*>(value); }

// Hands what the reader finds to the document, and stops it where the text goes deeper than anybody means.
template <typename Document>
struct DepthGuard : ExactNumbers<Document> {
  using Inner = ExactNumbers<Document>;
  int depth = 0;
  bool too_deep = false;

  bool enter() { return !(too_deep = ++depth > kMaxDepth); }
  bool StartObject() { return enter() && Inner::StartObject(); }
  bool EndObject(rapidjson::SizeType members) { return --depth, Inner::EndObject(members); }
  bool StartArray() { return enter() && Inner::StartArray(); }
  bool EndArray(rapidjson::SizeType items) { return --depth, Inner::EndArray(items); }
};

struct Generator {
  rapidjson::MemoryStream stream;
  rapidjson::ParseResult result = {};
  bool too_deep = false;

  template <typename Document>
  bool operator()(Document& document) {
    DepthGuard<Document> guard{{document}};
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

// Not all of a path that a stranger made as long as he could.
std::string join(const std::string& path, std::string_view name) {
  constexpr std::size_t kLong = 500;
  if (path.size() > kLong) return path;
  return path.empty() ? shortened(name) : path + '.' + shortened(name);
}

// A lone low surrogate ("\\udc00") passes the reader and would leave as bytes that are no UTF-8.
bool has_surrogate(std::string_view text) {
  for (std::size_t at = text.find('\xed'); at != std::string_view::npos; at = text.find('\xed', at + 1)) {
    if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0xa0) return true;
  }
  return false;
}

// What the reader lets pass in a value of its own.
const char* fault_within(const rapidjson::Value& value) {
  if (value.IsDouble() && !std::isfinite(value.GetDouble())) return ": wanted a finite number, found one too big";
  if (value.IsString() && has_surrogate(text_of(value))) return ": wanted text, found half a surrogate pair";
  return nullptr;
}

// The first fault that the reader lets pass. Recursion is bounded by kMaxDepth; paths are made only where it goes on.
std::optional<std::string> fault(const rapidjson::Value& value, const std::string& path) {
  const auto concerns = [](const rapidjson::Value& v) { return v.IsArray() || v.IsObject() || fault_within(v); };
  if (const char* found = fault_within(value)) return path + found;
  if (value.IsArray()) {
    for (rapidjson::SizeType i = 0; i < value.Size(); ++i) {
      if (!concerns(value[i])) continue;
      if (auto found = fault(value[i], path + '[' + std::to_string(i) + ']')) return found;
    }
  }
  if (!value.IsObject()) return std::nullopt;
  for (const auto& member : value.GetObject()) {
    if (const char* found = fault_within(member.name)) return path + found;
  }
  if (const auto key = repeated_key(value)) return join(path, *key) + ": wanted each field once, found it twice";
  for (const auto& member : value.GetObject()) {
    if (!concerns(member.value)) continue;
    if (auto found = fault(member.value, join(path, text_of(member.name)))) return found;
  }
  return std::nullopt;
}

}  // namespace

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
    return fail(ErrorCode::kInvalid,
                name + ": wanted JSON at most 64 deep, found more at " + place(text, generator.result.Offset()));
  }
  if (generator.result.IsError()) {
    return fail(ErrorCode::kInvalid, name + ": wanted JSON, found a fault at " +
                                         place(text, generator.result.Offset()) + ": " +
                                         rapidjson::GetParseError_En(generator.result.Code()));
  }
  if (const auto found = fault(tree->document, "")) {
    return fail(ErrorCode::kInvalid, found->starts_with(':') ? name + *found : *found);
  }
  return JsonDocument(std::move(tree));
}

JsonValue::Kind JsonValue::kind() const {
  switch (tree_of(value_).GetType()) {
    case rapidjson::kNullType:
      return Kind::kNull;
    case rapidjson::kFalseType:
    case rapidjson::kTrueType:
      return Kind::kBool;
    case rapidjson::kNumberType:
      return Kind::kNumber;
    case rapidjson::kStringType:
      return Kind::kText;
    case rapidjson::kArrayType:
      return Kind::kArray;
    case rapidjson::kObjectType:
      return Kind::kObject;
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
  if (value.IsArray()) return value.Size();
  return value.IsObject() ? value.MemberCount() : 0;
}

JsonValue JsonValue::item(std::size_t i) const {
  return JsonValue(&tree_of(value_)[static_cast<rapidjson::SizeType>(i)]);
}
std::string_view JsonValue::key(std::size_t i) const {
  return text_of((tree_of(value_).MemberBegin() + static_cast<std::ptrdiff_t>(i))->name);
}
JsonValue JsonValue::member(std::size_t i) const {
  return JsonValue(&(tree_of(value_).MemberBegin() + static_cast<std::ptrdiff_t>(i))->value);
}

std::optional<JsonValue> JsonValue::find(std::string_view key) const {
  if (!is_object()) return std::nullopt;
  for (const auto& member : tree_of(value_).GetObject()) {
    if (text_of(member.name) == key) return JsonValue(&member.value);
  }
  return std::nullopt;
}

std::string JsonValue::found() const {
  switch (kind()) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return boolean() ? "true" : "false";
    case Kind::kNumber:
      return number_text();
    case Kind::kText:
      return json_text(shortened(text()));
    case Kind::kArray:
      return "a list";
    case Kind::kObject:
      return "an object";
  }
  return "";
}

std::string shortened(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  std::size_t cut = most;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;  // not inside a character
  return std::string(text.substr(0, cut)) + "…";
}

}  // namespace emplace
