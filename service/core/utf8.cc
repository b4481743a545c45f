#include "service/core/utf8.h"

namespace emplace {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

struct Lead {
  std::size_t more;       // continuation bytes
  unsigned char lowest;   // of the first continuation byte: excludes overlong forms
  unsigned char highest;  // and surrogates, and what is beyond U+10FFFF
};

constexpr std::size_t kNoLead = 4;

Lead lead_of(unsigned char c) {
  if (c < 0x80) return {0, 0, 0};
  if (c >= 0xc2 && c <= 0xdf) return {1, 0x80, 0xbf};
  if (c == 0xe0) return {2, 0xa0, 0xbf};
  if (c == 0xed) return {2, 0x80, 0x9f};
  if (c >= 0xe1 && c <= 0xef) return {2, 0x80, 0xbf};
  if (c == 0xf0) return {3, 0x90, 0xbf};
  if (c == 0xf4) return {3, 0x80, 0x8f};
  if (c >= 0xf1 && c <= 0xf3) return {3, 0x80, 0xbf};
  return {kNoLead, 0, 0};
}

// What `text`, which is not empty, begins with: a character, the beginning of one that ends with the text, or neither.
struct Character {
  std::size_t bytes;  // 0: neither
  bool whole;
};

Character first_of(std::string_view text) {
  Lead lead = lead_of(static_cast<unsigned char>(text[0]));
  if (lead.more == kNoLead) return {0, false};
  for (std::size_t i = 1; i <= lead.more; ++i) {
    if (i == text.size()) return {i, false};
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < lead.lowest || c > lead.highest) return {0, false};
    lead.lowest = 0x80;
    lead.highest = 0xbf;
  }
  return {lead.more + 1, true};
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Character first = first_of(text);
    if (!first.whole) return false;
    text.remove_prefix(first.bytes);
  }
  return true;
}

std::string to_utf8(std::string_view bytes, std::size_t most) {
  std::string text;
  while (!bytes.empty()) {
    const Character first = first_of(bytes);
    if (first.bytes > 0 && !first.whole) break;
    const bool good = first.bytes > 0 && bytes[0] != 0;
    const std::string_view next = good ? bytes.substr(0, first.bytes) : kReplacement;
    if (next.size() > most - text.size()) break;
    text += next;
    bytes.remove_prefix(good ? first.bytes : 1);
  }
  return text;
}

}  // namespace emplace
