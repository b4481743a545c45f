#include "service/store/session.h"

#include <gtest/gtest.h>

#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

using std::chrono::seconds;

// PostgreSQL keeps the plan of a prepared statement. For a few rows it takes any index, and reads all of it; that plan
// must not be kept for ten thousand.
TEST(Session, PlansAnewForATableThatHasGrown) {
  const std::string connection = fresh_database(server().connection_string());
  query(
      connection,
      "CREATE TABLE held (vm uuid, host bigint, state text); CREATE INDEX by_host ON held (host) WHERE state = 'held';"
      "CREATE UNIQUE INDEX by_vm ON held (vm) WHERE state = 'held';"
      "INSERT INTO held SELECT gen_random_uuid(), i % 10, 'held' FROM generate_series(1, 10) AS i");
  Session session(connection, kByIndex);
  const auto plan = [&] {
    pqxx::work transaction(session.open(in(seconds(20))));
    std::string text;
    for (const auto& row : transaction.exec("EXPLAIN EXECUTE find('{" + to_string(Uuid{}) + "}')"))
      text += std::string(row[0].c_str()) + '\n';
    return text;
  };
  pqxx::nontransaction(session.open(in(seconds(20))))
      .exec(
          "SET plan_cache_mode = force_generic_plan;"
          "PREPARE find (uuid[]) AS SELECT vm, NULL FROM held WHERE vm = ANY($1) AND state = 'held'");
  const std::string early = plan();
  query(connection, "INSERT INTO held SELECT gen_random_uuid(), i % 10, 'held' FROM generate_series(1, 10000) AS i");

  std::string late;
  for (int i = 0; i < 256; ++i) late = plan();

  EXPECT_EQ(early.find("Index Cond"), std::string::npos) << "already good for ten rows:\n" << early;
  EXPECT_NE(late.find("Index Cond"), std::string::npos) << late;
}

}  // namespace
}  // namespace emplace::test
