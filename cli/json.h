// Json: a value of a parsed document, read without ceremony: a missing member is a null, a null has no members, and
// asking a value for another type gives that type's fallback. What must be there is asked for with need(). Copies share
// the document. JsonWriter writes one. RapidJSON stays in json.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emplace::cli {

class Json {
 public:
  Json() = default;
  // Throws Failure{kBadInput} naming `source` and the place of the mistake.
  static Json parse(const std::string& text, const std::string& source);

  Json operator[](std::string_view member) const;
  Json at(std::size_t i) const;
  std::size_t size() const;  // of an array or object; else 0
  std::vector<std::pair<std::string, Json>> members() const;
  std::vector<Json> items() const;
  Json need(std::string_view member) const;  // Failure{kServiceDefect} when missing

  bool is_null() const;
  bool is_object() const;
  bool is_array() const;
  bool is_string() const;
  bool is_number() const;
  bool truth(bool fallback = false) const;
  double number(double fallback = 0) const;
  std::string string(const std::string& fallback = {}) const;
  // What a person reads: a string without quotes, a number as short as possible, "-" for null, JSON for the rest.
  std::string text() const;
  std::string dump() const;

 private:
  std::shared_ptr<const void> document_;
  const void* value_ = nullptr;
};

class JsonWriter {
 public:
  JsonWriter();
  ~JsonWriter();
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(double number);  // whole numbers are written without a point
  JsonWriter& value(bool truth);
  JsonWriter& value(const std::vector<std::string>& texts);
  JsonWriter& value(const Json& json);
  template <typename T>
  JsonWriter& field(std::string_view name, const T& content) {
    return key(name).value(content);
  }
  // Only when the text says something.
  JsonWriter& field_if(std::string_view name, const std::string& text) {
    return text.empty() ? *this : field(name, text);
  }
  std::string take();

 private:
  struct Writer;
  std::unique_ptr<Writer> writer_;
};

}  // namespace emplace::cli
