#include "value.h"

#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>

namespace emplace::nova {
namespace {

constexpr int kDeepest = 64;

constexpr rapidjson::SizeType kMostDigits = 4300;  // of a whole number, in Python

// Values as they are read. RapidJSON's own reading to the nearest double is wrong for a mantissa of zero (0e100) and
// for some of 21 digits, so that numbers come here as texts.
class Builder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Builder> {
 public:
  using Size = rapidjson::SizeType;

  bool Null() { return put(Value()); }
  bool Bool(bool value) { return put(Value(value)); }
  bool String(const char* text, Size size, bool) { return put(Value(std::string(text, size))); }
  bool Key(const char* text, Size size, bool) {
    keys_.emplace_back(text, size);
    return true;
  }
  bool RawNumber(const char* text, Size size, bool) {
    std::int64_t whole = 0;
    const auto [end, fault] = std::from_chars(text, text + size, whole);
    if (fault == std::errc() && end == text + size) return put(Value(whole));
    const std::string written(text, size);
    if (written.find_first_of(".eE") == std::string::npos)
      return size <= kMostDigits && put(Value(Value::Large{written}));
    double number = 0;
    if (std::from_chars(text, text + size, number).ec == std::errc::result_out_of_range)
      number = std::strtod(written.c_str(), nullptr);
    return std::isfinite(number) && put(Value(number));
  }
  bool EndArray(Size count) {
    const auto first = values_.end() - static_cast<std::ptrdiff_t>(count);
    Value::List list(std::make_move_iterator(first), std::make_move_iterator(values_.end()));
    values_.erase(first, values_.end());
    return put(Value(std::move(list)));
  }
  bool EndObject(Size count) {
    Value::Dict dict;
    dict.reserve(count);
    const std::size_t value = values_.size() - count, key = keys_.size() - count;
    for (std::size_t i = 0; i < count; ++i) dict.emplace_back(std::move(keys_[key + i]), std::move(values_[value + i]));
    values_.resize(value), keys_.resize(key);
    return put(Value(std::move(dict)));
  }

  Value take() { return std::move(values_.back()); }

 private:
  bool put(Value value) {
    values_.push_back(std::move(value));
    return true;
  }

  std::vector<Value> values_;
  std::vector<std::string> keys_;  // of the objects that are not at their end
};

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

// Two whole numbers in decimal digits.
std::strong_ordering compare_wholes(std::string_view a, std::string_view b) {
  const bool below = a.starts_with('-');
  if (below != b.starts_with('-')) return below ? std::strong_ordering::less : std::strong_ordering::greater;
  const auto order = a.size() != b.size() ? a.size() <=> b.size() : a <=> b;
  return below ? 0 <=> order : order;
}

// What the double has behind the point decides where the rest is equal. A large one has nothing there.
std::partial_ordering compare_to_whole(double number, const std::string& whole) {
  if (!std::isfinite(number)) return number <=> 0.0;
  std::array<char, 400> buffer;
  const double cut = std::trunc(number) + 0.0;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), cut, std::chars_format::fixed, 0).ptr;
  const auto order = compare_wholes(std::string_view(buffer.data(), end), whole);
  return order == 0 ? number <=> cut : std::partial_ordering(order);
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
  if (std::holds_alternative<Large>(value_)) return true;
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
  if (const auto* number = std::get_if<Large>(&value_)) return std::strtod(number->digits.c_str(), nullptr);
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

std::partial_ordering Value::compare_numbers(const Value& a, const Value& b) {
  const auto *first = std::get_if<double>(&a.value_), *second = std::get_if<double>(&b.value_);
  if (first && second) return *first <=> *second;
  if (second) return 0 <=> compare_numbers(b, a);
  return first ? compare_to_whole(*first, b.digits()) : compare_wholes(a.digits(), b.digits());
}

// Of a whole number or a truth.
std::string Value::digits() const {
  if (const auto* flag = std::get_if<bool>(&value_)) return *flag ? "1" : "0";
  return repr();
}

std::string Value::str() const { return text() ? *text() : repr(); }

std::string Value::repr() const {
  if (const auto* flag = std::get_if<bool>(&value_)) return *flag ? "True" : "False";
  if (const auto* number = std::get_if<std::int64_t>(&value_)) return std::to_string(*number);
  if (const auto* number = std::get_if<double>(&value_)) return float_repr(*number);
  if (const auto* number = std::get_if<Large>(&value_)) return number->digits;
  if (text()) return text_repr(*text());
  if (list()) return list_repr(*list());
  return dict() ? dict_repr(*dict()) : "None";
}

std::optional<Value> parse_json(std::string_view text) {
  if (too_deep(text)) return std::nullopt;
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseValidateEncodingFlag;
  rapidjson::MemoryStream stream(text.data(), text.size());
  Builder builder;
  const bool read = !rapidjson::Reader().Parse<kFlags>(stream, builder).IsError();
  return read ? std::optional(builder.take()) : std::nullopt;
}

}  // namespace emplace::nova
