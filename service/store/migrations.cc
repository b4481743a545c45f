#include "service/store/migrations.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <thread>

#include "service/core/base/failpoint.h"
#include "service/store/session.h"
#include "service/store/session_pool.h"
#include "service/store/sql.h"

namespace emplace {
namespace {

using namespace std::chrono_literals;

constexpr char kLock[] = "SELECT pg_try_advisory_lock(727071616)";
constexpr char kUnlock[] = "SELECT pg_advisory_unlock(727071616)";
constexpr char kSchemaThere[] = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
constexpr char kOtherSchema[] =
    "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 'event_head'"
    " AND NOT EXISTS (SELECT 1 FROM pg_class o JOIN pg_namespace m ON m.oid = o.relnamespace WHERE o.relname = "
    "'event_head'"
    "  AND m.nspname = $1)";
constexpr char kTable[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version int PRIMARY KEY, name text NOT NULL, checksum text NOT "
    "NULL);"
    "ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS oldest_program int";
constexpr char kApplied[] = "SELECT version, name, checksum, oldest_program FROM schema_migrations ORDER BY version";
constexpr char kRecord[] =
    "INSERT INTO schema_migrations (version, name, checksum, oldest_program) VALUES ($1, $2, $3, $4)";
constexpr std::string_view kOldestProgram = "\n-- oldest_program: ";

int version_of(const Migration& migration) {
  int version = 0;
  std::from_chars(migration.name.data(), migration.name.data() + migration.name.size(), version);
  return version;
}

std::optional<int> oldest_program(const Migration& migration) {
  const auto at = migration.sql.find(kOldestProgram);
  if (at == std::string::npos) return std::nullopt;
  int version = version_of(migration);
  std::from_chars(migration.sql.data() + at + kOldestProgram.size(), migration.sql.data() + migration.sql.size(),
                  version);
  return version;
}

std::string checksum(const Migration& migration) {
  const auto hash = XXH3_128bits(migration.sql.data(), migration.sql.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

bool lock(pqxx::connection& connection, Deadline deadline) {
  while (true) {
    pqxx::nontransaction transaction(connection);
    if (sql::boolean(transaction.exec1(kLock)[0])) return true;
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(20ms);
  }
}

// Tables that an earlier search path put elsewhere are not made a second time, unless the operator named the schema.
Result<void> make_schema(pqxx::connection& connection, const std::string& schema) {
  pqxx::work transaction(connection);
  const auto others = transaction.exec_params(kOtherSchema, schema);
  if (!others.empty() && schema == kDefaultSchema)
    return fail(ErrorCode::kInvalid,
                fmt::format("the tables of Emplace are in the schema \"{0}\" of this database, not in"
                            " \"{1}\": say [database] schema = \"{0}\"",
                            others.front()[0].c_str(), schema));
  if (transaction.exec_params(kSchemaThere, schema).empty())
    transaction.exec("CREATE SCHEMA " + transaction.quote_name(schema));
  transaction.commit();
  return {};
}

// Of a migration that this program does not know.
Result<void> check_newer(const pqxx::row& row, int newest) {
  if (row[3].is_null() || sql::i64(row[3]) <= newest) return {};
  return fail(
      ErrorCode::kInvalid,
      fmt::format(
          "the database was migrated by {}, which wants programs that know migration {}, this one knows up to {}:"
          " use a newer one",
          row[1].c_str(), row[3].c_str(), newest));
}

// How many of `migrations` the database has, when it has the first ones of them, and perhaps newer ones after all of
// them.
Result<std::size_t> applied(pqxx::connection& connection, std::span<const Migration> migrations) {
  pqxx::work transaction(connection);
  transaction.exec(kTable);
  const auto rows = transaction.exec(kApplied);
  transaction.commit();
  const int newest = migrations.empty() ? 0 : version_of(migrations.back());
  std::size_t i = 0;
  for (const auto& row : rows) {
    if (i == migrations.size()) {
      if (auto fits = check_newer(row, newest); !fits) return tl::unexpected(fits.error());
      continue;
    }
    if (sql::i64(row[0]) != version_of(migrations[i]))
      return fail(ErrorCode::kInvalid, fmt::format("the database was migrated by {} where this program has {}",
                                                   row[1].c_str(), migrations[i].name));
    if (sql::text(row[2]) != checksum(migrations[i]))
      return fail(ErrorCode::kInvalid,
                  fmt::format("migration {} was changed after it was applied: checksum {} in the database, {} here",
                              migrations[i].name, row[2].c_str(), checksum(migrations[i])));
    ++i;
  }
  return i;
}

void apply_one(pqxx::connection& connection, const Migration& migration) {
  pqxx::work transaction(connection);
  transaction.exec(migration.sql);
  transaction.exec_params(kRecord, version_of(migration), migration.name, checksum(migration),
                          oldest_program(migration));
  if (fail_at("migration.commit")) throw pqxx::broken_connection();
  transaction.commit();
}

Result<int> migrate_locked(pqxx::connection& connection, const std::string& schema,
                           std::span<const Migration> migrations) {
  if (auto made = make_schema(connection, schema); !made) return tl::unexpected(made.error());
  const auto done = applied(connection, migrations);
  if (!done) return tl::unexpected(done.error());
  const auto missing = migrations.subspan(*done);
  for (const Migration& migration : missing) apply_one(connection, migration);
  return static_cast<int>(missing.size());
}

}  // namespace

Result<int> migrate(const Address& address, std::span<const Migration> migrations, Deadline deadline) {
  try {
    Watch watch;
    Session session(address, Purpose::kMigration);
    const Watched watched(watch, session);
    auto& open = session.open(deadline);
    if (!lock(open, deadline)) return fail(ErrorCode::kUnavailable, "another program is migrating this database");
    auto result = migrate_locked(open, address.schema, migrations);
    pqxx::nontransaction(open).exec(kUnlock);
    return result;
  } catch (const pqxx::broken_connection& error) {
    return fail(ErrorCode::kUnavailable, fmt::format("the database does not answer: {}", one_line(error.what())));
  } catch (const pqxx::insufficient_privilege& error) {
    return fail(ErrorCode::kInvalid,
                fmt::format("the role may not make tables in the schema \"{0}\": GRANT CREATE ON SCHEMA"
                            " {0} (or on the database, where the schema is missing) to it: {1}",
                            address.schema, one_line(error.what())));
  } catch (const pqxx::failure& error) {
    return fail(ErrorCode::kInternal, fmt::format("migration failed: {}", one_line(error.what())));
  }
}

}  // namespace emplace
