// Text as people see it. Some characters do not show, or change how others do: two names that differ look the same, or
// one line of a log reads as two. Names that we accept have none of them; where text comes from somebody who cannot be
// refused (OpenStack, libvirt, a library's message), it is written so that all of it shows.
//
// Complexity: linear. Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace emplace {

// Control characters (C0, DEL, C1), line and paragraph separators, marks, embeddings, overrides and isolates of
// writing direction, zero-width spaces and joiners of words, the byte order mark, annotation marks and tags. Not the
// zero-width (non-)joiner U+200C and U+200D: Persian, Hindi and emoji need them.
bool is_hidden(char32_t character);

// Whether a character of the text is hidden, or bytes of it are no UTF-8.
bool has_hidden(std::string_view text);

// The text with hidden characters escaped (\u0085), and bytes that are no character as \ufffd: one line, in UTF-8.
std::string shown_text(std::string_view text);

// A value of a log line, whatever is in it: as shown_text() has it, in quotes, with quotes and backslashes escaped: a
// string of JSON.
std::string log_text(std::string_view value);

}  // namespace emplace
