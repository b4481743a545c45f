// Value: a Python value as JSON carries it. Nova's rules look into attributes of hosts that are such values, and
// compare the texts that Python's str() makes of them; str() here makes the same ones.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace emplace::nova {

class Value {
 public:
  using List = std::vector<Value>;
  using Dict = std::vector<std::pair<std::string, Value>>;  // in the order of the text
  struct Large {                                            // a whole number beyond 64 bits
    std::string digits;                                     // decimal, after a minus where it is below zero
  };

  Value() = default;  // None
  explicit Value(bool value) : value_(value) {}
  explicit Value(std::int64_t value) : value_(value) {}
  explicit Value(double value) : value_(value) {}
  explicit Value(Large value) : value_(std::move(value)) {}
  explicit Value(std::string value) : value_(std::move(value)) {}
  explicit Value(List value) : value_(std::move(value)) {}
  explicit Value(Dict value) : value_(std::move(value)) {}

  bool is_none() const { return std::holds_alternative<std::monostate>(value_); }
  bool truthy() const;  // as Python's bool()
  const std::string* text() const { return std::get_if<std::string>(&value_); }
  const List* list() const { return std::get_if<List>(&value_); }
  const Dict* dict() const { return std::get_if<Dict>(&value_); }
  std::optional<std::int64_t> whole() const;
  std::optional<double> number() const;  // True is 1, as in Python; the nearest one to a whole number that is none
  std::optional<bool> flag() const;

  // Of a dict; null when absent or when this is no dict.
  const Value* find(std::string_view key) const;
  // The fields of a versioned object's primitive ("nova_object.data"); the value itself when it is none.
  const Value& fields() const;

  // Two numbers exactly, as Python compares them: no whole number becomes a double before.
  static std::partial_ordering compare_numbers(const Value& a, const Value& b);

  std::string str() const;   // as Python's str()
  std::string repr() const;  // as Python's repr()

 private:
  std::string digits() const;

  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Dict, Large> value_;
};

// Nothing for a text that is not JSON, has a number that Python would not read or that is infinite, or is nested more
// than 64 deep.
std::optional<Value> parse_json(std::string_view text);

}  // namespace emplace::nova
