// ExactNumbers stands between a RapidJSON reader (with kParseNumbersAsStringsFlag) and the document that it fills, and
// reads the numbers: to the nearest double, and whole ones as whole. RapidJSON's own reading to the nearest double
// (kParseFullPrecisionFlag) takes 0e100 for 1.9e81, because it normalises a mantissa of zero, and overflows at some
// mantissas of 21 digits.
//
// For sources that read JSON only: RapidJSON takes a second to compile.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace emplace {

// A JSON number as text. Infinite when it is too big, zero when too small.
double exact_double(std::string_view number);

template <typename Document>
struct ExactNumbers {
  Document& document;

  bool Null() { return document.Null(); }
  bool Bool(bool b) { return document.Bool(b); }
  bool Int(int i) { return document.Int(i); }
  bool Uint(unsigned u) { return document.Uint(u); }
  bool Int64(std::int64_t i) { return document.Int64(i); }
  bool Uint64(std::uint64_t u) { return document.Uint64(u); }
  bool Double(double d) { return document.Double(d); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool copy);
  bool String(const char* text, rapidjson::SizeType size, bool copy) { return document.String(text, size, copy); }
  bool Key(const char* text, rapidjson::SizeType size, bool copy) { return document.Key(text, size, copy); }
  bool StartObject() { return document.StartObject(); }
  bool EndObject(rapidjson::SizeType members) { return document.EndObject(members); }
  bool StartArray() { return document.StartArray(); }
  bool EndArray(rapidjson::SizeType items) { return document.EndArray(items); }
};

// Whether the text is JSON, which is then in `document`.
inline bool read_exactly(std::string_view json, rapidjson::Document& document) {
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag;
  rapidjson::MemoryStream text(json.data(), json.size());
  bool done = false;
  auto reading = [&](rapidjson::Document& target) {
    ExactNumbers<rapidjson::Document> numbers{target};
    return done = !rapidjson::Reader().Parse<kFlags>(text, numbers).IsError();
  };
  document.Populate(reading);
  return done;
}

// Nothing unless the whole text is one that T holds.
std::optional<std::int64_t> exact_int64(std::string_view number);
std::optional<std::uint64_t> exact_uint64(std::string_view number);

template <typename Document>
bool ExactNumbers<Document>::RawNumber(const char* text, rapidjson::SizeType size, bool) {
  const std::string_view number(text, size);
  if (const auto whole = exact_uint64(number)) {
    return *whole <= UINT32_MAX ? document.Uint(static_cast<unsigned>(*whole)) : document.Uint64(*whole);
  }
  if (const auto whole = exact_int64(number)) {
    return *whole >= INT32_MIN ? document.Int(static_cast<int>(*whole)) : document.Int64(*whole);
  }
  return document.Double(exact_double(number));
}

}  // namespace emplace
