// VersionPredicate: comparisons of a version, all of which must hold: ">=6.0,<6.2". Versions are those of Python's old
// distutils.StrictVersion, which Nova uses: two or three numbers and perhaps "a1" or "b2" for a pre-release.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emplace::nova {

struct Version {
  std::array<std::int64_t, 3> numbers{};
  // A version without a pre-release is later than those with one.
  char stage = 'z';
  std::int64_t stage_number = 0;
  auto operator<=>(const Version&) const = default;
};

std::optional<Version> parse_version(std::string_view text);

class VersionPredicate {
 public:
  // Throws plugin::Error where Nova raises.
  explicit VersionPredicate(std::string_view text);
  // Throws plugin::Error for a text that is no version.
  bool satisfied_by(const std::string& version) const;

 private:
  struct Comparison {
    std::string sign;
    Version version;
  };
  std::vector<Comparison> comparisons_;
};

// 7002002 -> "7.2.2", as oslo.utils writes versions that are one number.
std::string version_text(std::int64_t version);

}  // namespace emplace::nova
