// The little that every SQL file of the store needs: named statements, arrays as parameters (a statement handles many
// rows by unnesting one array per column), and readers of fields. Includes pqxx, so only .cc files of the store include
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <pqxx/pqxx>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/uuid.h"
#include "service/core/doors/lists.h"

// The time that all replicas share, in microseconds since 1970: when the database began the statement. Whatever expires
// is compared with this, never with a replica's own clock.
#define SQL_NOW_US "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint"

namespace emplace::sql {

// Most rows of one statement: what it costs the server in memory stays small, whatever the size of a call.
inline constexpr std::size_t kPortion = 10'000;

// Prepared on each connection the first time it runs there.
struct Statement {
  const char* name;
  const char* text;
};

template <typename... Arguments>
pqxx::result run(pqxx::transaction_base& transaction, const Statement& statement, const Arguments&... arguments) {
  transaction.conn().prepare(statement.name, statement.text);
  return transaction.exec_prepared(statement.name, arguments...);
}

// Planned for these very arguments each time: for statements with conditions that are mostly absent ($1 = '' OR ...),
// of which one plan for all arguments would read the whole table.
template <typename... Arguments>
pqxx::result run_planned(pqxx::work& transaction, const Statement& statement, const Arguments&... arguments) {
  return transaction.exec_params(statement.text, arguments...);
}

// Where a page of a list begins, as parameters: what orders the list, and the id. No id: at the first row.
struct Place {
  std::string key, id;
};
Place place_of(const ListQuestion& question);
std::string text_or_empty(const std::optional<Uuid>& id);

std::int64_t now_us(pqxx::work& transaction);

std::string number(double value);  // shortest text that reads back as the same bits

// A PostgreSQL array literal that grows.
class Array {
 public:
  Array& add(std::string_view text);
  Array& add(const char* text) { return add(std::string_view(text)); }
  Array& add(const std::string& text) { return add(std::string_view(text)); }
  Array& add(const Uuid& id) { return add(to_string(id)); }
  Array& add(double value);
  Array& add(std::int64_t value);
  Array& add(std::uint32_t value) { return add(static_cast<std::int64_t>(value)); }
  Array& add(bool value) { return bare(value ? "t" : "f"); }
  Array& add_null() { return bare("NULL"); }
  template <typename T>
  Array& add(const std::optional<T>& value) {
    return value ? add(*value) : add_null();
  }
  std::string text() const { return text_ + "}"; }
  bool empty() const { return text_.size() == 1; }

 private:
  Array& bare(std::string_view text);
  std::string text_ = "{";
};

std::string array(std::span<const std::string> values);
std::string array(std::span<const std::uint32_t> values);
template <typename Values>
std::string array_of(const Values& values) {
  Array result;
  for (const auto& value : values) result.add(value);
  return result.text();
}

// One column of many rows; `field` is a member, or a function of a row.
template <typename Rows, typename Field>
std::string column(const Rows& rows, Field field) {
  Array result;
  for (const auto& row : rows) result.add(std::invoke(field, row));
  return result.text();
}

double f64(const pqxx::field& field);
std::int64_t i64(const pqxx::field& field);
bool boolean(const pqxx::field& field);
std::string text(const pqxx::field& field);
Uuid uuid(const pqxx::field& field);
std::optional<double> maybe_f64(const pqxx::field& field);
std::optional<Uuid> maybe_uuid(const pqxx::field& field);
std::vector<std::string> texts(const pqxx::field& field);
std::vector<std::uint32_t> u32s(const pqxx::field& field);

}  // namespace emplace::sql
