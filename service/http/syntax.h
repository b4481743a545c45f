// What HTTP calls a token, a field's text, a host: RFC 9110's words about characters, and numbers as messages write
// them.
//
// Threads: pure functions. Complexity: linear.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace emplace::http {

bool is_digit(char c);
bool is_blank(char c);
bool is_token(std::string_view text);
bool is_visible(std::string_view text);
// Field values and chunk extensions: no control character but the tab.
bool is_text(std::string_view text);
bool is_host(std::string_view text);

std::string_view trimmed(std::string_view text);  // of blanks and tabs
std::string lower(std::string_view text);         // ASCII only, whatever the locale

// The whole text as a number; the maximum if it has more digits than fit.
std::optional<std::uint64_t> number(std::string_view digits, int base);

}  // namespace emplace::http
