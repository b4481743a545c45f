#include "service/store/sql.h"

#include <fmt/format.h>

#include <charconv>

namespace emplace::sql {

namespace {
constexpr Statement kNow{"now_us", "SELECT " SQL_NOW_US};
}

std::int64_t now_us(pqxx::work& transaction) { return i64(run(transaction, kNow).front().front()); }

std::string number(double value) { return fmt::format("{}", value); }

Array& Array::bare(std::string_view text) {
  if (text_.size() > 1) text_ += ',';
  text_ += text;
  return *this;
}

Array& Array::add(std::string_view text) {
  if (text_.size() > 1) text_ += ',';
  const std::size_t before = text_.size();
  text_.resize(before + 2 * text.size() + 2);  // room for the worst case
  char* out = text_.data() + before;
  *out++ = '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') *out++ = '\\';
    *out++ = c;
  }
  *out++ = '"';
  text_.resize(static_cast<std::size_t>(out - text_.data()));
  return *this;
}

Array& Array::add(double value) { return bare(number(value)); }
Array& Array::add(std::int64_t value) { return bare(fmt::format_int(value).str()); }

std::string array(std::span<const std::string> values) { return array_of(values); }
std::string array(std::span<const std::uint32_t> values) { return array_of(values); }

namespace {
template <typename T>
T parse(const pqxx::field& field) {
  T value{};
  const char* const end = field.c_str() + field.size();
  const auto [stop, error] = std::from_chars(field.c_str(), end, value);
  if (field.is_null() || error != std::errc{} || stop != end)
    throw pqxx::conversion_error(fmt::format("column {} holds no number", field.name()));
  return value;
}
}  // namespace

Place place_of(const ListQuestion& question) {
  const ListMarker after = question.after.value_or(ListMarker());
  const std::string id = question.after ? to_string(after.id) : "";
  switch (question.order) {
    case ListOrder::kId:
      return {to_string(after.id), id};
    case ListOrder::kName:
      return {after.name, id};
    case ListOrder::kMadeAt:
      return {std::to_string(after.made_at_us), id};
  }
  return {};
}

std::string text_or_empty(const std::optional<Uuid>& id) { return id ? to_string(*id) : ""; }

double f64(const pqxx::field& field) { return parse<double>(field); }
std::int64_t i64(const pqxx::field& field) { return parse<std::int64_t>(field); }
bool boolean(const pqxx::field& field) { return !field.is_null() && *field.c_str() == 't'; }
std::string text(const pqxx::field& field) { return {field.c_str(), field.size()}; }

Uuid uuid(const pqxx::field& field) {
  const auto id = parse_uuid({field.c_str(), field.size()});
  if (!id) throw pqxx::conversion_error(fmt::format("column {} holds no uuid", field.name()));
  return *id;
}

std::optional<double> maybe_f64(const pqxx::field& field) {
  return field.is_null() ? std::nullopt : std::optional(f64(field));
}
std::optional<Uuid> maybe_uuid(const pqxx::field& field) {
  return field.is_null() ? std::nullopt : std::optional(uuid(field));
}

std::vector<std::string> texts(const pqxx::field& field) {
  std::vector<std::string> values;
  if (field.is_null() || field.size() <= 2) return values;
  auto parser = field.as_array();
  for (auto next = parser.get_next(); next.first != pqxx::array_parser::done; next = parser.get_next())
    if (next.first == pqxx::array_parser::string_value) values.push_back(std::move(next.second));
  return values;
}

std::vector<std::uint32_t> u32s(const pqxx::field& field) {
  std::vector<std::uint32_t> values;
  const char* at = field.c_str();
  const char* const end = at + field.size();
  while (at < end) {
    std::uint32_t value = 0;
    const auto [stop, error] = std::from_chars(at, end, value);
    if (error == std::errc{}) values.push_back(value);
    at = error == std::errc{} ? stop : at + 1;
  }
  return values;
}

}  // namespace emplace::sql
