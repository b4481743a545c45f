// Times as text: microseconds since the epoch to and from ISO 8601 in UTC ("2026-11-21T10:00:00.000000Z"). Reading
// takes an optional fraction of up to six digits and an optional "Z" or "+00:00"; another offset is not a time we keep.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace emplace {

std::string time_text(std::int64_t at_us);
std::optional<std::int64_t> parse_time(std::string_view text);

}  // namespace emplace
