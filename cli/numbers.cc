#include "cli/numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

#include "cli/failure.h"
#include "cli/table.h"

namespace emplace::cli {
namespace {

constexpr double kLeastBareMemory = 64;      // MiB: below, GiB were meant
constexpr double kMostBareDisk = 16 * 1024;  // GiB: above, MiB were meant

[[noreturn]] void refuse(const std::string& option, const std::string& wanted, const std::string& found) {
  throw Failure(kBadInput, fmt::format("{}: wanted {}, found '{}'", option, wanted, printable(found)));
}

std::optional<double> to_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

struct Measure {
  double value = 0;
  std::string unit;  // lower case; empty: none
};

std::optional<Measure> to_measure(std::string_view text) {
  const std::size_t end = std::min(text.find_last_of("0123456789") + 1, text.size());
  const auto value = to_number(text.substr(0, end));
  if (!value) return std::nullopt;
  std::string_view unit = text.substr(end);
  unit.remove_prefix(std::min(unit.find_first_not_of(' '), unit.size()));
  Measure measure{*value, std::string(unit)};
  for (char& c : measure.unit) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return measure;
}

// How many of what a letter of "kmgtp" stands for go into one KiB's 1024.
std::optional<double> kibibytes_of(const std::string& unit) {
  static constexpr std::string_view kLetters = "kmgtp";
  if (unit.empty() || (unit.size() > 1 && unit.substr(1) != "ib")) return std::nullopt;
  const std::size_t power = kLetters.find(unit[0]);
  if (power == std::string_view::npos) return std::nullopt;
  return std::pow(1024.0, static_cast<double>(power));
}

// `own`: the unit of a number alone, which is what the result counts.
double size_typed(const std::string& option, const std::string& text, const char* own, double own_kib) {
  const std::string wanted = fmt::format("a size of whole {} such as 8GiB (units KiB, MiB, GiB, TiB, PiB)", own);
  const auto measure = to_measure(text);
  if (!measure) refuse(option, wanted, text);
  const auto kib = measure->unit.empty() ? own_kib : kibibytes_of(measure->unit);
  if (!kib) refuse(option, wanted, text);
  const double value = measure->value * *kib / own_kib;
  if (value != std::floor(value)) refuse(option, wanted, text);
  if (value < 0 || value > kMostAmount) refuse(option, fmt::format("0 to {:.0f} {}", kMostAmount, own), text);
  return value;
}

bool is_bare(const std::string& text) { return text.find_first_not_of("0123456789.") == std::string::npos; }

}  // namespace

double whole_number(const std::string& option, const std::string& text, double least, double most) {
  const auto value = to_number(text);
  if (!value || *value != std::floor(*value) || *value < least || *value > most) {
    refuse(option, fmt::format("a whole number of {:.0f} to {:.0f}", least, most), text);
  }
  return *value;
}

double mebibytes_typed(const std::string& option, const std::string& text) {
  const double mib = size_typed(option, text, "MiB", 1024);
  if (is_bare(text) && mib > 0 && mib < kLeastBareMemory) {
    refuse(option, fmt::format("a unit with so small a number: {0}GiB, or {0}MiB if that is what you mean", text),
           text);
  }
  return mib;
}

double gibibytes_typed(const std::string& option, const std::string& text) {
  const double gib = size_typed(option, text, "GiB", 1024.0 * 1024);
  if (is_bare(text) && gib > kMostBareDisk) {
    refuse(option, fmt::format("a unit with so large a number: {0}MiB, or {0}GiB if that is what you mean", text),
           text);
  }
  return gib;
}

double duration_typed(const std::string& option, const std::string& text) {
  static const std::map<std::string, double> kSeconds = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
  const auto measure = to_measure(text);
  const auto unit = measure ? kSeconds.find(measure->unit) : kSeconds.end();
  if (unit == kSeconds.end() || measure->value <= 0) {
    refuse(option, "a time with its unit, such as 90s, 15min, 2h or 1d", text);
  }
  return measure->value * unit->second;
}

bool is_positive(const std::string& text) {
  const auto value = to_number(text);
  return value && *value > 0;
}

const std::string& name_typed(const std::string& option, const std::string& text) {
  if (text.find_first_not_of(" \t") == std::string::npos) refuse(option, "a name", text);
  return text;
}

}  // namespace emplace::cli
