#include "extra_specs_ops.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "emplace/view.hpp"

namespace emplace::nova {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t i = 0; i < text.size();) {
    if (is_blank(text[i])) {
      ++i;
      continue;
    }
    const std::size_t start = i;
    while (i < text.size() && !is_blank(text[i])) ++i;
    words.push_back(text.substr(start, i - start));
  }
  return words;
}

// Python lets underscores stand between digits; nothing where they stand elsewhere.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || i + 1 == text.size() || !is_digit(text[i - 1]) || !is_digit(text[i + 1])) {
      return std::nullopt;
    }
  }
  return out;
}

std::optional<double> special(std::string word) {
  for (char& c : word) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  if (word == "inf" || word == "infinity") return std::numeric_limits<double>::infinity();
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  return std::nullopt;
}

std::optional<double> magnitude(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (!is_digit(text.front()) && text.front() != '.') return special(text);
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || status == std::errc::invalid_argument) return std::nullopt;
  if (status == std::errc::result_out_of_range) {
    const bool tiny = text.find("e-") != std::string::npos || text.find("E-") != std::string::npos;
    return tiny ? 0 : std::numeric_limits<double>::infinity();
  }
  return value;
}

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

std::string_view strip(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<double> python_int(std::string_view text) {
  text = strip(text);
  std::string_view digits = text;
  if (!digits.empty() && (digits.front() == '-' || digits.front() == '+')) digits.remove_prefix(1);
  const bool plain = std::ranges::all_of(digits, [](char c) { return is_digit(c) || c == '_'; });
  return digits.empty() || !plain ? std::nullopt : python_float(text);
}

std::optional<double> python_float(std::string_view text) {
  text = strip(text);
  const bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  const auto digits = without_underscores(text);
  const auto value = digits ? magnitude(*digits) : std::nullopt;
  return value && negative ? -*value : value;
}

bool match(std::string_view value, std::string_view requirement) {
  const auto all = split(requirement);
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
