// Base64 (RFC 4648, with padding) of bytes, for page samples in JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace emplace {

std::string base64_encode(std::string_view bytes);
// Nothing for anything but canonical text: wrong length, foreign characters, set bits beyond the last byte.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace emplace
