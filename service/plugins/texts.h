// The texts that plugins write into the arrays of plugin.h, as the service takes them over: up to the first NUL, or all
// of the array where there is none, and made fit to be shown (utf8.h).
#pragma once

#include <cstring>
#include <string>

#include "api/plugin/emplace/plugin.h"
#include "service/core/base/utf8.h"

namespace emplace {

// Of texts that have no array's bound, in bytes.
inline constexpr std::size_t kLongestPluginText = 1024;

template <std::size_t N>
std::string text_in(const char (&array)[N]) {
  return to_utf8({array, strnlen(array, N)});
}

inline std::string text_in(const emplace_error& error) {
  std::string said = text_in(error.message);
  return said.empty() ? "failed and did not say why" : said;
}

// For one that may be null, and ends with NUL somewhere.
inline std::string text_at(const char* text, const char* otherwise) {
  return text ? to_utf8({text, strnlen(text, kLongestPluginText)}) : otherwise;
}

// Puts a text of ours where plugins put theirs.
inline void put_text(const std::string& text, emplace_error& error) {
  const std::string fitting = to_utf8(text, sizeof error.message - 1);
  std::memcpy(error.message, fitting.c_str(), fitting.size() + 1);
}

}  // namespace emplace
