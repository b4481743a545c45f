// Uuid: 16 bytes, as PostgreSQL, libvirt and Nova write them. The zero uuid means "none". Making random ones is the
// shell's business (it needs a source of randomness); the core only reads, compares and prints them.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace emplace {

struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  bool is_zero() const { return *this == Uuid{}; }
  std::uint64_t low() const {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + 8, sizeof value);
    return value;
  }
  auto operator<=>(const Uuid&) const = default;
};

// Lower-case canonical text, 36 characters.
std::string to_string(const Uuid& id);
// Reads the canonical text (either case); nothing else is a uuid.
std::optional<Uuid> parse_uuid(std::string_view text);

}  // namespace emplace
