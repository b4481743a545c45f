#include "extra_specs_ops.h"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "emplace/view.hpp"
#include "python_text.h"

namespace emplace::nova {
namespace {

double number(std::string_view text) {
  const auto value = python_float(text);
  if (!value) throw plugin::Error("could not convert string to float: '" + std::string(text) + "'");
  return *value;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// "<or> a <or> b": every other word is a keyword, whatever it says.
bool equals_one(std::string_view value, std::span<const std::string_view> words) {
  if (words.empty()) throw plugin::Error("'<or>' without an operand");
  for (std::size_t i = 0; i < words.size(); i += 2) {
    if (words[i] == value) return true;
  }
  return false;
}

using Method = bool (*)(std::string_view, std::string_view);
struct Operator {
  std::string_view name;
  Method method;
};

constexpr Operator kOperators[] = {
    {"=", [](std::string_view x, std::string_view y) { return number(x) >= number(y); }},
    {"<in>", [](std::string_view x, std::string_view y) { return contains(x, y); }},
    {"==", [](std::string_view x, std::string_view y) { return number(x) == number(y); }},
    {"!=", [](std::string_view x, std::string_view y) { return number(x) != number(y); }},
    {">=", [](std::string_view x, std::string_view y) { return number(x) >= number(y); }},
    {"<=", [](std::string_view x, std::string_view y) { return number(x) <= number(y); }},
    {"s==", [](std::string_view x, std::string_view y) { return x == y; }},
    {"s!=", [](std::string_view x, std::string_view y) { return x != y; }},
    {"s<", [](std::string_view x, std::string_view y) { return x < y; }},
    {"s<=", [](std::string_view x, std::string_view y) { return x <= y; }},
    {"s>", [](std::string_view x, std::string_view y) { return x > y; }},
    {"s>=", [](std::string_view x, std::string_view y) { return x >= y; }},
};

}  // namespace

bool match(std::string_view value, std::string_view requirement) {
  const auto all = split_words(requirement);
  if (all.empty()) return value == requirement;
  const auto words = std::span(all).subspan(1);
  if (all.front() == "<or>") return equals_one(value, words);
  if (all.front() == "<all-in>") {
    return !words.empty() && std::ranges::all_of(words, [&](std::string_view word) { return contains(value, word); });
  }
  for (const auto& [name, method] : kOperators) {
    if (name == all.front()) return !words.empty() && method(value, words.front());
  }
  return value == requirement;
}

}  // namespace emplace::nova
