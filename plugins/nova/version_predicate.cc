#include "version_predicate.h"

#include <algorithm>
#include <charconv>

#include "emplace/view.hpp"

namespace emplace::nova {
namespace {

constexpr std::string_view kSigns[] = {"<=", ">=", "!=", "==", "<", ">"};

std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t value = 0;
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::string_view strip(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\r\f\v";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool holds(std::string_view sign, const Version& found, const Version& wanted) {
  if (sign == "<") return found < wanted;
  if (sign == "<=") return found <= wanted;
  if (sign == "==") return found == wanted;
  if (sign == ">") return found > wanted;
  return sign == ">=" ? found >= wanted : found != wanted;
}

}  // namespace

std::optional<Version> parse_version(std::string_view text) {
  Version version;
  for (std::size_t i = 0; i < 3; ++i) {
    if (i > 0) {
      if (!text.starts_with('.')) break;
      text.remove_prefix(1);
    }
    const auto number = take_number(text);
    if (!number) return std::nullopt;
    version.numbers[i] = *number;
    if (i == 0 && !text.starts_with('.')) return std::nullopt;
  }
  if (text.empty()) return version;
  version.stage = text.front();
  text.remove_prefix(1);
  const auto number = take_number(text);
  if ((version.stage != 'a' && version.stage != 'b') || !number || !text.empty()) return std::nullopt;
  version.stage_number = *number;
  return version;
}

VersionPredicate::VersionPredicate(std::string_view text) {
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    const std::string_view part = strip(text.substr(start, comma - start));
    start = comma + 1;
    const auto sign = std::ranges::find_if(kSigns, [&](std::string_view s) { return part.starts_with(s); });
    const auto version = sign == std::end(kSigns) ? std::nullopt : parse_version(strip(part.substr(sign->size())));
    if (!version) throw plugin::Error("bad version restriction: '" + std::string(part) + "'");
    comparisons_.push_back({std::string(*sign), *version});
  }
}

bool VersionPredicate::satisfied_by(const std::string& version) const {
  const auto found = parse_version(version);
  if (!found) throw plugin::Error("invalid version number '" + version + "'");
  return std::ranges::all_of(comparisons_, [&](const auto& c) { return holds(c.sign, *found, c.version); });
}

std::string version_text(std::int64_t version) {
  std::string text;
  for (; version > 0; version /= 1000) text = std::to_string(version % 1000) + (text.empty() ? "" : "." + text);
  return text;
}

}  // namespace emplace::nova
