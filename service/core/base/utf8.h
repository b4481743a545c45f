// Text that comes from outside (a plugin, a hypervisor, another program), made fit to be shown, kept and sent: valid
// UTF-8 without NUL, which PostgreSQL takes in no text. It is made so once, where it enters.
//
// Complexity: linear.
#pragma once

#include <string>
#include <string_view>

namespace emplace {

enum class Part { kWhole, kCut, kNone };  // a character; the beginning of one that ends with the text; neither

// What a text begins with.
struct Utf8Character {
  char32_t code;      // U+FFFD unless whole
  std::size_t bytes;  // 1 for kNone
  Part part;
};

// Precondition: `text` is not empty.
Utf8Character first_character(std::string_view text);

bool is_utf8(std::string_view text);

// Each byte that belongs to no character, and each NUL, becomes U+FFFD. At most `most` bytes, and never a part of a
// character: neither where it is cut here, nor at its end, where somebody else cut it.
std::string to_utf8(std::string_view bytes, std::size_t most = std::string_view::npos);

}  // namespace emplace
