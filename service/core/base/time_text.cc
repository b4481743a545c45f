#include "service/core/base/time_text.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

namespace emplace {
namespace {

using Days = std::chrono::sys_days;
constexpr std::size_t kFraction = 6;  // digits of microseconds

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  const char* first = text.data() + at;
  const auto [end, error] = std::from_chars(first, first + count, value);
  const bool all = error == std::errc() && end == first + count && *first != '-';
  return all ? std::optional(value) : std::nullopt;
}

// ".5" is 500,000 µs; what follows the fraction stays in `text`.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
  if (text.empty() || text.front() != '.') return 0;
  text.remove_prefix(1);
  std::int64_t micros = 0;
  std::size_t count = 0;
  // One more than is taken shows that there are too many.
  for (; count <= kFraction && count < text.size() && text[count] >= '0' && text[count] <= '9'; ++count)
    micros = micros * 10 + (text[count] - '0');
  if (count == 0 || count > kFraction) return std::nullopt;
  text.remove_prefix(count);
  for (; count < kFraction; ++count) micros *= 10;
  return micros;
}

}  // namespace

std::string time_text(std::int64_t at_us) {
  using namespace std::chrono;
  const sys_time<microseconds> at{microseconds(at_us)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss clock(at - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::optional<std::int64_t> parse_time(std::string_view text) {
  using namespace std::chrono;
  const auto y = digits(text, 0, 4), mo = digits(text, 5, 2), d = digits(text, 8, 2);
  const auto h = digits(text, 11, 2), mi = digits(text, 14, 2), s = digits(text, 17, 2);
  if (!y || !mo || !d || !h || !mi || !s) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != ' ') || text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const year_month_day date(year(*y), month(static_cast<unsigned>(*mo)), day(static_cast<unsigned>(*d)));
  if (!date.ok() || *h > 23 || *mi > 59 || *s > 59) return std::nullopt;
  text.remove_prefix(19);
  const auto fraction = take_fraction(text);
  if (!fraction || !(text.empty() || text == "Z" || text == "+00:00")) return std::nullopt;
  const auto at = Days(date) + hours(*h) + minutes(*mi) + seconds(*s) + microseconds(*fraction);
  return duration_cast<microseconds>(at.time_since_epoch()).count();
}

}  // namespace emplace
