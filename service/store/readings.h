// Readings: when what a source of hosts and vms says was last in the database as a whole.
#pragma once

#include <cstdint>
#include <optional>
#include <pqxx/pqxx>
#include <string>

namespace emplace {

std::optional<std::int64_t> last_reading(pqxx::work& transaction, const std::string& source);  // nothing: never
void note_reading(pqxx::work& transaction, const std::string& source, std::int64_t read_at_us);

}  // namespace emplace
