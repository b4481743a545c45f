// JsonDocument, JsonValue: JSON text read strictly, so that bad input ends as a sentence and never as a surprise.
// Refused: depth over 64 (without recursion: a million '[' is only an error), text that is not UTF-8, raw NUL bytes,
// duplicate keys, NaN and infinities, numbers that no double holds, anything after the value. Numbers are read to the
// nearest double.
//
// JsonFields reads the members of one object and collects the first error, with the path of the field, what was wanted
// and what was found:
//
//   vm.vcpus: wanted a whole number from 0 to 2147483648, found "x"
//
// so that a parser is a list of fields followed by refuse_unknown(). JsonWriter writes compact JSON; its doubles are
// the shortest text that reads back to the same double.
//
// Threads: values; a JsonValue is a view that lives as long as its document.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/base/uuid.h"

namespace emplace {

class JsonValue {
 public:
  enum class Kind { kNull, kBool, kNumber, kText, kArray, kObject };

  Kind kind() const;
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_object() const { return kind() == Kind::kObject; }
  bool is_array() const { return kind() == Kind::kArray; }
  bool is_text() const { return kind() == Kind::kText; }
  bool is_number() const { return kind() == Kind::kNumber; }

  // Each is defined for its own kind only, but for size() and find().
  bool boolean() const;
  double number() const;
  std::string number_text() const;            // 1.0 stays "1.0", 1 stays "1"
  std::optional<std::int64_t> whole() const;  // a number without a fraction that fits; 1e3 is one
  std::string_view text() const;
  std::size_t size() const;                   // of an array or object; 0 of anything else
  JsonValue item(std::size_t i) const;        // of an array
  std::string_view key(std::size_t i) const;  // of an object, in the order of the text
  JsonValue member(std::size_t i) const;
  std::optional<JsonValue> find(std::string_view key) const;  // nothing in what is no object

  std::string found() const;  // for a message: the value, or what kind of thing it is, in at most 60 characters

 private:
  friend class JsonDocument;
  explicit JsonValue(const void* value) : value_(value) {}
  const void* value_;
};

class JsonDocument {
 public:
  // kInvalid, with line and column. `what` names the text in the message: "body".
  static Result<JsonDocument> parse(std::string_view text, std::string_view what = "body");
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();
  JsonValue root() const;

 private:
  struct Tree;
  explicit JsonDocument(std::unique_ptr<Tree> tree);
  std::unique_ptr<Tree> tree_;
};

// The largest whole number that amounts may have.
inline constexpr double kMaxAmount = 2147483648.0;  // 2^31
inline constexpr std::size_t kMaxName = 255;        // characters, as databases and JSON Schema count
inline constexpr std::size_t kMaxText = 65536;      // characters

// Collects the first error of a document; later ones are not kept.
class JsonErrors {
 public:
  void add(std::string message) {
    if (!first_) first_ = std::move(message);
  }
  bool none() const { return !first_.has_value(); }
  tl::unexpected<Error> failure() const { return fail(ErrorCode::kInvalid, first_.value_or("")); }

 private:
  std::optional<std::string> first_;
};

struct Range {
  double least = 0;
  double most = kMaxAmount;
};

// The members of one object. Every read marks its field as known; a field that is absent leaves its target as it was.
class JsonFields {
 public:
  // A value that is no object is an error, and then nothing is read.
  JsonFields(std::optional<JsonValue> value, std::string path, JsonErrors& errors);

  bool has(std::string_view name) const;  // present and not null
  std::optional<JsonValue> value(std::string_view name);
  std::string path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + '.' + std::string(name);
  }
  void require(std::string_view name);  // an error when absent or null

  void name(std::string_view field, std::string& target);  // 1 to 255 bytes, no control characters
  void name_or_null(std::string_view field, std::string& target);
  void text(std::string_view field, std::string& target, std::size_t most = kMaxText);  // no NUL
  void text_or_null(std::string_view field, std::string& target, std::size_t most = kMaxText);
  void names(std::string_view field, std::vector<std::string>& target);  // a list; each once
  void texts_by_name(std::string_view field, std::map<std::string, std::string>& target);
  void whole(std::string_view field, double& target, Range range = {});
  void whole(std::string_view field, std::int64_t& target, Range range = {});
  void whole(std::string_view field, std::uint32_t& target, Range range = {});
  void number(std::string_view field, double& target, Range range = {});
  void number(std::string_view field, std::optional<double>& target, Range range = {});
  void flag(std::string_view field, bool& target);
  void uuid(std::string_view field, Uuid& target);  // null: stays as it was
  // One of a few words; `read` gives nothing for any other word.
  template <typename T>
  void choice(std::string_view field, T& target, std::string_view words, std::optional<T> (*read)(std::string_view)) {
    const std::optional<JsonValue> found = value(field);
    if (!found) return;
    const std::optional<T> word = found->is_text() ? read(found->text()) : std::nullopt;
    if (word) {
      target = *word;
    } else {
      wanted(field, "one of " + std::string(words), *found);
    }
  }
  // Calls `read` with each item of a list and its path; the list may be null or absent.
  void each(std::string_view field, const std::function<void(JsonValue, std::string)>& read);

  void wanted(std::string_view field, std::string_view what, JsonValue found);
  void refuse_unknown();  // an error for a member that nobody read

 private:
  std::optional<JsonValue> list(std::string_view field);  // none when null or absent, and an error for anything else
  void read_name(std::string_view field, std::string& target, JsonValue found);
  void read_text(std::string_view field, std::string& target, JsonValue found, std::size_t most);

  std::optional<JsonValue> object_;
  std::string path_;
  JsonErrors& errors_;
  std::vector<bool> known_;
};

// At most so many bytes of a text, cut between characters.
std::string shortened(std::string_view text, std::size_t most = 60);

// Whether a text can be a name, and if not why ("a name of 1 to 255 characters without control characters").
bool is_name(std::string_view text);
// Of valid UTF-8.
std::size_t characters_of(std::string_view text);
inline constexpr std::string_view kNameWanted = "a name of 1 to 255 characters without control characters";

class JsonWriter {
 public:
  JsonWriter& open();        // {
  JsonWriter& close();       // }
  JsonWriter& open_list();   // [
  JsonWriter& close_list();  // ]
  JsonWriter& key(std::string_view name);
  JsonWriter& text(std::string_view value);
  JsonWriter& number(double value);  // null for what JSON has no word for
  JsonWriter& whole(std::int64_t value);
  JsonWriter& flag(bool value);
  JsonWriter& null();
  JsonWriter& raw(std::string_view json);  // must be JSON
  JsonWriter& value(JsonValue value);      // a copy of it

  JsonWriter& text(std::string_view name, std::string_view value) { return key(name).text(value); }
  JsonWriter& number(std::string_view name, double value) { return key(name).number(value); }
  JsonWriter& whole(std::string_view name, std::int64_t value) { return key(name).whole(value); }
  JsonWriter& flag(std::string_view name, bool value) { return key(name).flag(value); }
  JsonWriter& text_or_null(std::string_view name, std::string_view value) {
    return value.empty() ? key(name).null() : key(name).text(value);
  }

  std::string take() { return std::move(text_); }
  const std::string& so_far() const { return text_; }

 private:
  void separate();
  std::string text_;
  bool first_ = true;  // nothing written yet at this level
};

std::string json_text(std::string_view value);  // quoted and escaped
std::string json_number(double value);          // shortest round trip
std::string to_json(JsonValue value);

}  // namespace emplace
