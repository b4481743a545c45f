#include "service/novaconf/python_numbers.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>

#include "service/novaconf/ini.h"

namespace emplace::novaconf {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower(std::string_view text) {
  std::string all(text);
  for (char& c : all) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return all;
}

// Nothing where an underscore stands elsewhere than between two digits.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string all;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      all += text[i];
    } else if (i == 0 || i + 1 == text.size() || !is_digit(text[i - 1]) || !is_digit(text[i + 1])) {
      return std::nullopt;
    }
  }
  return all;
}

// from_chars takes no '+'.
std::optional<std::string> digits_of(std::string_view text) {
  std::string_view rest = stripped(text);
  const bool plus = rest.starts_with('+');
  if (plus) rest.remove_prefix(1);
  if (plus && rest.starts_with('-')) return std::nullopt;
  return without_underscores(rest);
}

template <typename Number>
std::optional<Number> number_of(const std::string& text) {
  Number number{};
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (wrong != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<std::int64_t> python_int(std::string_view text) {
  const auto digits = digits_of(text);
  return digits ? number_of<std::int64_t>(*digits) : std::nullopt;
}

std::optional<double> python_float(std::string_view text) {
  const auto digits = digits_of(text);
  if (!digits) return std::nullopt;
  const std::string word = lower(*digits);
  const bool negative = word.starts_with('-');
  const std::string_view name = std::string_view(word).substr(negative ? 1 : 0);
  if (name == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (name == "inf" || name == "infinity") return (negative ? -1 : 1) * std::numeric_limits<double>::infinity();
  // from_chars has more words of this kind, such as "nan(1)".
  const bool plain = std::ranges::all_of(
      word, [](char c) { return is_digit(c) || std::string_view("+-.e").find(c) != std::string_view::npos; });
  return plain ? number_of<double>(word) : std::nullopt;
}

std::optional<bool> oslo_flag(std::string_view text) {
  const std::string word = lower(text);
  if (word == "true" || word == "1" || word == "on" || word == "yes") return true;
  if (word == "false" || word == "0" || word == "off" || word == "no") return false;
  return std::nullopt;
}

}  // namespace emplace::novaconf
