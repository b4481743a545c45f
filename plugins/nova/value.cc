#include "value.h"

#include <rapidjson/document.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace emplace::nova {
namespace {

constexpr int kDeepest = 64;

// RapidJSON's own reading to the nearest double is wrong for a mantissa of zero (0e100) and for some of 21 digits.
struct ExactDocument : rapidjson::Document {
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    std::int64_t whole = 0;
    const auto [end, fault] = std::from_chars(text, text + size, whole);
    if (fault == std::errc() && end == text + size) return Int64(whole);
    double number = 0;
    if (std::from_chars(text, text + size, number).ec == std::errc::result_out_of_range)
      number = std::strtod(std::string(text, size).c_str(), nullptr);
    return std::isfinite(number) && Double(number);
  }
};

Value convert(const rapidjson::Value& json);

Value convert_list(const rapidjson::Value& json) {
  Value::List list;
  for (const auto& item : json.GetArray()) list.push_back(convert(item));
  return Value(std::move(list));
}

Value convert_dict(const rapidjson::Value& json) {
  Value::Dict dict;
  for (const auto& member : json.GetObject()) {
    dict.emplace_back(std::string(member.name.GetString(), member.name.GetStringLength()), convert(member.value));
  }
  return Value(std::move(dict));
}

Value convert(const rapidjson::Value& json) {
  if (json.IsBool()) return Value(json.GetBool());
  if (json.IsInt64()) return Value(json.GetInt64());
  if (json.IsNumber()) return Value(json.GetDouble());
  if (json.IsString()) return Value(std::string(json.GetString(), json.GetStringLength()));
  if (json.IsArray()) return convert_list(json);
  return json.IsObject() ? convert_dict(json) : Value();
}

// Counts brackets outside of strings, so that a document of a million '[' is refused before it is read.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == '"')
        quoted = false;
    } else if (text[i] == '"') {
      quoted = true;
    } else if (text[i] == '[' || text[i] == '{') {
      if (++depth > kDeepest) return true;
    } else if (text[i] == ']' || text[i] == '}') {
      --depth;
    }
  }
  return false;
}

// Python writes the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on.
std::string float_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 400> buffer;
  const double magnitude = std::fabs(value);
  const bool exponent = magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16);
  const auto format = exponent ? std::chars_format::scientific : std::chars_format::fixed;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format).ptr;
  std::string text(buffer.data(), end);
  if (!exponent && text.find('.') == std::string::npos) text += ".0";
  return text;
}

void append_escaped(std::string& out, char c, char quote) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == quote || c == '\\') {
    out += '\\', out += c;
  } else if (c == '\n') {
    out += "\\n";
  } else if (c == '\r') {
    out += "\\r";
  } else if (c == '\t') {
    out += "\\t";
  } else if (byte < 0x20 || byte == 0x7f) {
    out += "\\x", out += kHex[byte >> 4], out += kHex[byte & 15];
  } else {
    out += c;
  }
}

std::string text_repr(const std::string& text) {
  const bool has_single = text.find('\'') != std::string::npos;
  const char quote = has_single && text.find('"') == std::string::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) append_escaped(out, c, quote);
  return out + quote;
}

std::string list_repr(const Value::List& list) {
  std::string out = "[";
  for (const Value& item : list) out += (out.size() > 1 ? ", " : "") + item.repr();
  return out + "]";
}

std::string dict_repr(const Value::Dict& dict) {
  std::string out = "{";
  for (const auto& [key, value] : dict) out += (out.size() > 1 ? ", " : "") + text_repr(key) + ": " + value.repr();
  return out + "}";
}

}  // namespace

bool Value::truthy() const {
  if (const auto* flag = std::get_if<bool>(&value_)) return *flag;
  if (const auto* number = std::get_if<std::int64_t>(&value_)) return *number != 0;
  if (const auto* number = std::get_if<double>(&value_)) return *number != 0;
  if (text()) return !text()->empty();
  if (list()) return !list()->empty();
  return dict() && !dict()->empty();
}

std::optional<std::int64_t> Value::whole() const {
  const auto* number = std::get_if<std::int64_t>(&value_);
  return number ? std::optional(*number) : std::nullopt;
}

std::optional<double> Value::number() const {
  if (const auto* flag = std::get_if<bool>(&value_)) return *flag ? 1 : 0;
  if (const auto* number = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*number);
  const auto* number = std::get_if<double>(&value_);
  return number ? std::optional(*number) : std::nullopt;
}

std::optional<bool> Value::flag() const {
  const auto* flag = std::get_if<bool>(&value_);
  return flag ? std::optional(*flag) : std::nullopt;
}

const Value* Value::find(std::string_view key) const {
  if (!dict()) return nullptr;
  for (const auto& [name, value] : *dict()) {
    if (name == key) return &value;
  }
  return nullptr;
}

const Value& Value::fields() const {
  const Value* data = find("nova_object.data");
  return data ? *data : *this;
}

std::string Value::str() const { return text() ? *text() : repr(); }

std::string Value::repr() const {
  if (const auto* flag = std::get_if<bool>(&value_)) return *flag ? "True" : "False";
  if (const auto* number = std::get_if<std::int64_t>(&value_)) return std::to_string(*number);
  if (const auto* number = std::get_if<double>(&value_)) return float_repr(*number);
  if (text()) return text_repr(*text());
  if (list()) return list_repr(*list());
  return dict() ? dict_repr(*dict()) : "None";
}

std::optional<Value> parse_json(std::string_view text) {
  if (too_deep(text)) return std::nullopt;
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseValidateEncodingFlag;
  rapidjson::MemoryStream stream(text.data(), text.size());
  ExactDocument document;
  bool done = false;
  auto reading = [&](rapidjson::Document& target) {
    return done = !rapidjson::Reader().Parse<kFlags>(stream, static_cast<ExactDocument&>(target)).IsError();
  };
  document.Populate(reading);
  return done ? std::optional(convert(document)) : std::nullopt;
}

}  // namespace emplace::nova
