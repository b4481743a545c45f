#include "service/store/readings.h"

#include "service/store/sql.h"

namespace emplace {
namespace {

constexpr sql::Statement kLastReading{"last_reading", "SELECT read_at_us FROM readings WHERE source = $1"};
constexpr sql::Statement kNoteReading{"note_reading",
                                      "INSERT INTO readings (source, read_at_us) VALUES ($1, $2) "
                                      "ON CONFLICT (source) DO UPDATE SET read_at_us = EXCLUDED.read_at_us"};

}  // namespace

std::optional<std::int64_t> last_reading(pqxx::work& transaction, const std::string& source) {
  const auto rows = sql::run(transaction, kLastReading, source);
  return rows.empty() ? std::nullopt : std::optional(sql::i64(rows.front()[0]));
}

void note_reading(pqxx::work& transaction, const std::string& source, std::int64_t read_at_us) {
  sql::run(transaction, kNoteReading, source, read_at_us);
}

}  // namespace emplace
