#include "tests/store/server.h"

#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <pqxx/pqxx>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "service/store/child_process.h"
#include "service/store/embedded.h"

namespace emplace::test {
namespace {

constexpr const char* kHostile[] = {
    "search_path = nowhere",
    "standard_conforming_strings = off",
    "array_nulls = off",
    "DateStyle = 'German, DMY'",
    "IntervalStyle = iso_8601",
    "TimeZone = 'Asia/Kathmandu'",
    "extra_float_digits = -15",
    "bytea_output = escape",
    "client_encoding = LATIN1",
    "client_min_messages = debug1",
    "exit_on_error = on",
    "default_transaction_isolation = serializable",
    "default_transaction_deferrable = on",
    "synchronous_commit = off",
    "statement_timeout = '1s'",
    "lock_timeout = 1",
    "idle_in_transaction_session_timeout = 1",
    "idle_session_timeout = '2s'",
    "jit = on",
    "jit_above_cost = 0",
    "jit_inline_above_cost = 0",
    "jit_optimize_above_cost = 0",
    "force_parallel_mode = on",
    "parallel_setup_cost = 0",
    "parallel_tuple_cost = 0",
    "plan_cache_mode = force_custom_plan",
    "enable_indexscan = off",
    "enable_indexonlyscan = off",
    "enable_bitmapscan = off",
    "enable_nestloop = off",
    "enable_hashjoin = off",
    "enable_mergejoin = off",
    "join_collapse_limit = 1",
    "random_page_cost = 1000",
    "work_mem = '64kB'",
};

std::filesystem::path binaries() {
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql"))
    if (std::filesystem::exists(entry.path() / "bin/initdb")) return entry.path() / "bin";
  throw std::runtime_error("PostgreSQL is not installed");
}

// PostgreSQL does not run as root.
std::optional<User> unprivileged() {
  if (geteuid() != 0) return std::nullopt;
  const passwd* const found = getpwnam("postgres");
  if (found == nullptr) throw std::runtime_error("there is no user postgres");
  return User{found->pw_uid, found->pw_gid};
}

bool answers(const std::string& connection) {
  try {
    pqxx::connection open(connection);
    return true;
  } catch (const pqxx::broken_connection&) {
    return false;
  }
}

class Embedded final : public Server {
 public:
  explicit Embedded(const std::filesystem::path& directory) {
    auto started = EmbeddedPostgres::start(directory, [](LogLevel, std::string_view) {});
    if (!started) throw std::runtime_error(started.error().message);
    postgres_ = std::move(*started);
  }
  std::string connection_string() const override { return postgres_->connection_string(); }

 private:
  std::unique_ptr<EmbeddedPostgres> postgres_;
};

class Stock : public Server {
 public:
  explicit Stock(std::filesystem::path directory) : directory_(std::move(directory)), user_(unprivileged()) {
    if (user_ && chown(directory_.c_str(), user_->uid, user_->gid) != 0) throw std::runtime_error("chown");
    const auto data = directory_ / "data", log = directory_ / "log";
    if (run_to_end({.arguments = {binaries() / "initdb", "-D", data, "-U", "emplace", "-A", "trust"},
                    .output = log,
                    .user = user_}) != 0)
      throw std::runtime_error("initdb failed, see " + log.string());
    pid_ = spawn({.arguments = {binaries() / "postgres", "-D", data, "-c", "listen_addresses=", "-k", directory_},
                  .output = log,
                  .user = user_,
                  .signal_at_our_end = SIGINT});
    for (int tries = 0; !answers(connection_string()); ++tries) {
      if (tries == 600) throw std::runtime_error("PostgreSQL does not start, see " + log.string());
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  ~Stock() override {
    kill(pid_, SIGINT);
    waitpid(pid_, nullptr, 0);
  }
  std::string connection_string() const override {
    return fmt::format("host={} user=emplace dbname=postgres", directory_.string());
  }

 private:
  const std::filesystem::path directory_;
  const std::optional<User> user_;
  int pid_ = 0;
};

class Hostile final : public Stock {
 public:
  explicit Hostile(const std::filesystem::path& directory) : Stock(directory) {
    pqxx::connection open(connection_string());
    pqxx::nontransaction transaction(open);
    transaction.exec("CREATE ROLE onlooker SUPERUSER LOGIN");
    for (const char* const setting : kHostile) transaction.exec(fmt::format("ALTER ROLE emplace SET {}", setting));
  }
  std::string onlooker() const override { return " user=onlooker"; }
};

}  // namespace

std::unique_ptr<Server> start_server(const std::filesystem::path& directory) {
  const char* const given = std::getenv("EMPLACE_TEST_DATABASE");
  const std::string_view wanted = given != nullptr ? given : "embedded";
  if (wanted == "embedded") return std::make_unique<Embedded>(directory);
  if (wanted == "stock") return std::make_unique<Stock>(directory);
  if (wanted == "hostile") return std::make_unique<Hostile>(directory);
  throw std::runtime_error(fmt::format("EMPLACE_TEST_DATABASE: wanted embedded, stock or hostile, found {}", wanted));
}

}  // namespace emplace::test
