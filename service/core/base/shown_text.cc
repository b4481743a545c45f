#include "service/core/base/shown_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "service/core/base/utf8.h"

namespace emplace {
namespace {

// Beyond U+FFFF as JSON has it, in two halves.
void append_escape(std::string& out, char32_t code) {
  if (code == U'"' || code == U'\\') {
    out += '\\';
    out += static_cast<char>(code);
  } else if (code == U'\n' || code == U'\t') {
    out += code == U'\n' ? "\\n" : "\\t";
  } else if (code < 0x10000) {
    out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(code));
  } else {
    const auto above = static_cast<std::uint32_t>(code - 0x10000);
    out += fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (above >> 10), 0xdc00 + (above & 0x3ff));
  }
}

// `besides`: characters of ASCII that are escaped, too.
std::string escaped(std::string_view text, std::string_view besides) {
  std::string out;
  while (!text.empty()) {
    const Utf8Character first = first_character(text);
    const bool is_plain =
        first.part == Part::kWhole && !is_hidden(first.code) && besides.find(text[0]) == std::string_view::npos;
    is_plain ? void(out += text.substr(0, first.bytes)) : append_escape(out, first.code);
    text.remove_prefix(first.bytes);
  }
  return out;
}

}  // namespace

bool is_hidden(char32_t c) {
  static constexpr std::array<std::array<char32_t, 2>, 11> kHidden = {{{0, 0x1f},
                                                                       {0x7f, 0x9f},
                                                                       {0x61c, 0x61c},
                                                                       {0x180e, 0x180e},
                                                                       {0x200b, 0x200b},
                                                                       {0x200e, 0x200f},
                                                                       {0x2028, 0x202e},
                                                                       {0x2060, 0x206f},
                                                                       {0xfeff, 0xfeff},
                                                                       {0xfff9, 0xfffb},
                                                                       {0xe0000, 0xe007f}}};
  return std::any_of(kHidden.begin(), kHidden.end(), [c](const auto& range) { return c >= range[0] && c <= range[1]; });
}

bool has_hidden(std::string_view text) {
  while (!text.empty()) {
    const Utf8Character first = first_character(text);
    if (first.part != Part::kWhole || is_hidden(first.code)) return true;
    text.remove_prefix(first.bytes);
  }
  return false;
}

std::string shown_text(std::string_view text) { return escaped(text, {}); }

std::string log_text(std::string_view value) { return '"' + escaped(value, "\"\\") + '"'; }

}  // namespace emplace
