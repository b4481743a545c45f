#include "python_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <limits>

namespace emplace::nova {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Those that are not ASCII's: U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000.
constexpr std::string_view kBlanks[] = {"\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
                                        "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
                                        "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

// Bytes of a blank that the text begins with; 0 when it is another character.
std::size_t leading_blank(std::string_view text) {
  if (text.empty() || static_cast<unsigned char>(text.front()) < 0x80) return !text.empty() && is_blank(text.front());
  const auto at = std::ranges::find_if(kBlanks, [&](std::string_view blank) { return text.starts_with(blank); });
  return at == std::end(kBlanks) ? 0 : at->size();
}

std::size_t trailing_blank(std::string_view text) {
  if (text.empty() || static_cast<unsigned char>(text.back()) < 0x80) return !text.empty() && is_blank(text.back());
  const auto at = std::ranges::find_if(kBlanks, [&](std::string_view blank) { return text.ends_with(blank); });
  return at == std::end(kBlanks) ? 0 : at->size();
}

// Zeros of the scripts that have decimal digits, in Unicode 14 as in Python 3.11; their other nine follow.
constexpr char32_t kZeros[] = {0x660,   0x6f0,   0x7c0,   0x966,   0x9e6,   0xa66,   0xae6,   0xb66,   0xbe6,   0xc66,
                               0xce6,   0xd66,   0xde6,   0xe50,   0xed0,   0xf20,   0x1040,  0x1090,  0x17e0,  0x1810,
                               0x1946,  0x19d0,  0x1a80,  0x1a90,  0x1b50,  0x1bb0,  0x1c40,  0x1c50,  0xa620,  0xa8d0,
                               0xa900,  0xa9d0,  0xa9f0,  0xaa50,  0xabf0,  0xff10,  0x104a0, 0x10d30, 0x11066, 0x110f0,
                               0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950,
                               0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec,
                               0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0};

struct Character {
  char32_t code = 0;
  std::size_t bytes = 1;
};

// Of a text in UTF-8, which is checked where it comes in.
Character first_of(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto rest = [&](std::size_t i) { return byte(i) & 0x3fu; };
  if (byte(0) >= 0xf0) return {(byte(0) & 7u) << 18 | rest(1) << 12 | rest(2) << 6 | rest(3), 4};
  if (byte(0) >= 0xe0) return {(byte(0) & 15u) << 12 | rest(1) << 6 | rest(2), 3};
  if (byte(0) >= 0xc0) return {(byte(0) & 31u) << 6 | rest(1), 2};
  return {byte(0), 1};
}

// With ASCII's digits in place of all others. What else is not ASCII is no part of a number.
std::string with_plain_digits(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto [code, bytes] = first_of(text);
    const auto zero = std::prev(std::ranges::upper_bound(kZeros, std::max(code, kZeros[0])));
    const bool digit = code >= *zero && code - *zero < 10;
    out += digit ? static_cast<char>('0' + (code - *zero)) : text.front();
    text.remove_prefix(std::min(bytes, text.size()));
  }
  return out;
}

// Underscores may stand between digits; nothing where they stand elsewhere.
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

}  // namespace

std::string_view strip(std::string_view text) {
  while (const std::size_t blank = leading_blank(text)) text.remove_prefix(blank);
  while (const std::size_t blank = trailing_blank(text)) text.remove_suffix(blank);
  return text;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (text = strip(text); !text.empty(); text = strip(text)) {
    std::size_t end = 1;
    while (end < text.size() && leading_blank(text.substr(end)) == 0) ++end;
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

std::optional<double> python_int(std::string_view text) {
  const std::string plain_text = with_plain_digits(strip(text));
  std::string_view digits = plain_text;
  if (!digits.empty() && (digits.front() == '-' || digits.front() == '+')) digits.remove_prefix(1);
  const bool plain = std::ranges::all_of(digits, [](char c) { return is_digit(c) || c == '_'; });
  return digits.empty() || !plain ? std::nullopt : python_float(plain_text);
}

std::optional<double> python_float(std::string_view written) {
  const std::string plain_text = with_plain_digits(strip(written));
  std::string_view text = plain_text;
  const bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  const auto digits = without_underscores(text);
  const auto value = digits ? magnitude(*digits) : std::nullopt;
  return value && negative ? -*value : value;
}

}  // namespace emplace::nova
