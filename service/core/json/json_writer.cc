#include <array>
#include <charconv>
#include <cmath>

#include "service/core/json/json.h"

namespace emplace {
namespace {

void append_escape(std::string& out, char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
  }
}

// What stands between two characters that must be escaped, mostly all of it, in one piece.
void append_escaped(std::string& out, std::string_view text) {
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) >= 0x20 && text[i] != '"' && text[i] != '\\') continue;
    out.append(text, plain, i - plain);
    append_escape(out, text[i]);
    plain = i + 1;
  }
  out.append(text, plain);
}

}  // namespace

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
    case JsonValue::Kind::kNull:
      return null();
    case JsonValue::Kind::kBool:
      return flag(value.boolean());
    case JsonValue::Kind::kText:
      return text(value.text());
    case JsonValue::Kind::kNumber:
      return raw(value.number_text());
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
