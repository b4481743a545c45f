#include "service/store/migrations.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <thread>

#include "service/core/failpoint.h"
#include "service/store/session.h"
#include "service/store/sql.h"

namespace emplace {
namespace {

using namespace std::chrono_literals;

constexpr char kLock[] = "SELECT pg_try_advisory_lock(727071616)";
constexpr char kUnlock[] = "SELECT pg_advisory_unlock(727071616)";
constexpr char kQuiet[] = "SET client_min_messages = warning";
constexpr char kTable[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL)";
constexpr char kApplied[] = "SELECT version, name, checksum FROM schema_migrations ORDER BY version";
constexpr char kRecord[] = "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)";

int version_of(const Migration& migration) {
  int version = 0;
  std::from_chars(migration.name.data(), migration.name.data() + migration.name.size(), version);
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

// How many of `migrations` the database has, when it has exactly the first ones of them.
Result<std::size_t> applied(pqxx::connection& connection, std::span<const Migration> migrations) {
  pqxx::work transaction(connection);
  transaction.exec(kQuiet);
  transaction.exec(kTable);
  const auto rows = transaction.exec(kApplied);
  transaction.commit();
  const int newest = migrations.empty() ? 0 : version_of(migrations.back());
  if (!rows.empty() && sql::i64(rows.back()[0]) > newest)
    return fail(ErrorCode::kInvalid, fmt::format("the database has schema version {}, this program knows up to {}: use a newer one",
                                                 rows.back()[0].c_str(), newest));
  std::size_t i = 0;
  for (const auto& row : rows) {
    if (sql::i64(row[0]) != version_of(migrations[i]))
      return fail(ErrorCode::kInvalid, fmt::format("the database was migrated by {} where this program has {}", row[1].c_str(),
                                                   migrations[i].name));
    if (sql::text(row[2]) != checksum(migrations[i]))
      return fail(ErrorCode::kInvalid, fmt::format("migration {} was changed after it was applied: checksum {} in the database, {} here",
                                                   migrations[i].name, row[2].c_str(), checksum(migrations[i])));
    ++i;
  }
  return i;
}

void apply_one(pqxx::connection& connection, const Migration& migration) {
  pqxx::work transaction(connection);
  transaction.exec(migration.sql);
  transaction.exec_params(kRecord, version_of(migration), migration.name, checksum(migration));
  if (fail_at("migration.commit")) throw pqxx::broken_connection();
  transaction.commit();
}

Result<int> migrate_locked(pqxx::connection& connection, std::span<const Migration> migrations) {
  const auto done = applied(connection, migrations);
  if (!done) return tl::unexpected(done.error());
  const auto missing = migrations.subspan(*done);
  for (const Migration& migration : missing) apply_one(connection, migration);
  return static_cast<int>(missing.size());
}

}  // namespace

Result<int> migrate(const std::string& connection, std::span<const Migration> migrations, Deadline deadline) {
  try {
    Watch watch;
    Session session(connection);
    watch.add(session);
    const struct Leave {
      Watch& watch;
      Session& session;
      ~Leave() { watch.remove(session); }
    } leave{watch, session};
    auto& open = session.open(deadline);
    if (!lock(open, deadline)) return fail(ErrorCode::kUnavailable, "another program is migrating this database");
    auto result = migrate_locked(open, migrations);
    pqxx::nontransaction(open).exec(kUnlock);
    return result;
  } catch (const pqxx::broken_connection& error) {
    return fail(ErrorCode::kUnavailable, fmt::format("the database does not answer: {}", error.what()));
  } catch (const pqxx::failure& error) {
    return fail(ErrorCode::kInternal, fmt::format("migration failed: {}", error.what()));
  }
}

}  // namespace emplace
