#include "service/core/json/json_numbers.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace emplace {
namespace {

template <typename T>
std::optional<T> whole_text(std::string_view number) {
  T value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  return error == std::errc() && end == number.data() + number.size() ? std::optional(value) : std::nullopt;
}

// from_chars only says that a number is out of range. Which side follows from where its first digit stands.
bool is_too_big(std::string_view number) {
  const std::size_t e = std::min(number.find_first_of("eE"), number.size());
  const std::string_view mantissa = number.substr(0, e);
  std::string_view exponent = number.substr(std::min(e + 1, number.size()));
  if (exponent.starts_with('+')) exponent.remove_prefix(1);
  const bool small = exponent.starts_with('-');
  const auto power =
      exponent.empty() ? std::int64_t{0} : whole_text<std::int64_t>(exponent).value_or(small ? INT32_MIN : INT32_MAX);
  const auto point = static_cast<std::int64_t>(std::min(mantissa.find('.'), mantissa.size()));
  const auto first = static_cast<std::int64_t>(mantissa.find_first_of("123456789"));
  return power + point - first > 0;
}

}  // namespace

std::optional<std::int64_t> exact_int64(std::string_view number) { return whole_text<std::int64_t>(number); }
std::optional<std::uint64_t> exact_uint64(std::string_view number) { return whole_text<std::uint64_t>(number); }

double exact_double(std::string_view number) {
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc::result_out_of_range) return value;
  const double beyond = is_too_big(number) ? std::numeric_limits<double>::infinity() : 0;
  return number.starts_with('-') ? -beyond : beyond;
}

}  // namespace emplace
