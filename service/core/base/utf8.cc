#include "service/core/base/utf8.h"

namespace emplace {
namespace {

constexpr char32_t kReplacement = U'\ufffd';
constexpr std::string_view kReplacementText = "\xef\xbf\xbd";

struct Lead {
  std::size_t bytes;      // of the whole character; 0: no character begins so
  unsigned char lowest;   // of the second byte: excludes overlong forms
  unsigned char highest;  // and surrogates, and what is beyond U+10FFFF
};

Lead lead_of(unsigned char c) {
  if (c < 0x80) return {1, 0, 0};
  if (c >= 0xc2 && c <= 0xdf) return {2, 0x80, 0xbf};
  if (c == 0xe0) return {3, 0xa0, 0xbf};
  if (c == 0xed) return {3, 0x80, 0x9f};
  if (c >= 0xe1 && c <= 0xef) return {3, 0x80, 0xbf};
  if (c == 0xf0) return {4, 0x90, 0xbf};
  if (c == 0xf4) return {4, 0x80, 0x8f};
  if (c >= 0xf1 && c <= 0xf3) return {4, 0x80, 0xbf};
  return {0, 0, 0};
}

}  // namespace

Utf8Character first_character(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  Lead lead = lead_of(first);
  if (lead.bytes == 0) return {kReplacement, 1, Part::kNone};
  if (lead.bytes == 1) return {first, 1, Part::kWhole};
  char32_t code = first & (0x7fU >> lead.bytes);
  for (std::size_t i = 1; i < lead.bytes; ++i) {
    if (i == text.size()) return {kReplacement, i, Part::kCut};
    const auto next = static_cast<unsigned char>(text[i]);
    if (next < lead.lowest || next > lead.highest) return {kReplacement, 1, Part::kNone};
    lead.lowest = 0x80;
    lead.highest = 0xbf;
    code = (code << 6) | (next & 0x3fU);
  }
  return {code, lead.bytes, Part::kWhole};
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Character first = first_character(text);
    if (first.part != Part::kWhole) return false;
    text.remove_prefix(first.bytes);
  }
  return true;
}

std::string to_utf8(std::string_view bytes, std::size_t most) {
  std::string text;
  while (!bytes.empty()) {
    const Utf8Character first = first_character(bytes);
    if (first.part == Part::kCut) break;
    const bool is_good = first.part == Part::kWhole && first.code != 0;
    const std::string_view next = is_good ? bytes.substr(0, first.bytes) : kReplacementText;
    if (next.size() > most - text.size()) break;
    text += next;
    bytes.remove_prefix(first.bytes);
  }
  return text;
}

}  // namespace emplace
