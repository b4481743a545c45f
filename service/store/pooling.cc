#include "service/store/pooling.h"

#include <fmt/format.h>

#include <string_view>

#include "service/store/session.h"
#include "service/store/session_pool.h"

namespace emplace {
namespace {

constexpr char kWhatToDo[] =
    "connections to the database are pooled by transaction or statement: use pool_mode = session in PgBouncer (or the "
    "like),"
    " or connect to PostgreSQL itself";
constexpr int kTurns = 3;

// PgBouncer gives a transaction the backend that was used last, or the next one in turn. So either the transaction of
// one session runs on the backend of the other, or the other one finds itself elsewhere while that lasts.
void take_turns(Session& first, Session& second, Deadline deadline) {
  for (int turn = 0; turn < kTurns; ++turn) {
    pqxx::nontransaction(first.open(deadline)).exec("SELECT 1");
    pqxx::work long_one(second.open(deadline));
    const int backend = second.check_backend(long_one);
    if (backend == first.backend()) throw Pooled();
    pqxx::nontransaction meanwhile(first.open(deadline));
    first.check_backend(meanwhile);
  }
}

// A pooler that allows no transactions at all closes a session that begins one, and we don't hear why.
bool is_cut_off_by_transactions(Session& session, Deadline deadline) {
  for (int tries = 0; tries < 2; ++tries) {
    session.close();
    pqxx::nontransaction(session.open(deadline)).exec("SELECT 1");
    try {
      pqxx::work(session.open(deadline)).exec("SELECT 1");
      return false;
    } catch (const pqxx::broken_connection&) {
    }
  }
  return true;
}

}  // namespace

Pooled::Pooled() : std::runtime_error(kWhatToDo) {}

bool says_pooled(const std::exception& error) {
  if (dynamic_cast<const Pooled*>(&error) != nullptr) return true;
  const auto* const refused = dynamic_cast<const pqxx::sql_error*>(&error);
  // No such prepared statement, or one of that name already: it was prepared on another backend.
  if (refused != nullptr && (refused->sqlstate() == "26000" || refused->sqlstate() == "42P05")) return true;
  return std::string_view(error.what()).find("statement pooling mode") != std::string_view::npos;
}

Result<void> check_pooling(const Address& address, Deadline deadline) {
  Watch watch;
  Session first(address, Purpose::kMigration), second(address, Purpose::kMigration);
  const Watched watched_first(watch, first), watched_second(watch, second);
  try {
    try {
      take_turns(first, second, deadline);
      return {};
    } catch (const pqxx::broken_connection&) {
      if (is_cut_off_by_transactions(first, deadline)) throw Pooled();
      throw;
    }
  } catch (const std::exception& error) {
    if (says_pooled(error)) return fail(ErrorCode::kInvalid, kWhatToDo);
    return tl::unexpected(to_error(error));
  }
}

}  // namespace emplace
