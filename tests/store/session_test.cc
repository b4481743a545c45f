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
  Session session(connection, Purpose::kWork);
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

// A replica that stops in the middle of a transaction must not stop the others for as long as it is stopped.
TEST(Session, LosesItsLocksWhenItStopsInATransaction) {
  const std::string connection = fresh_database(server().connection_string());
  PostgresStore store(options_for(connection));
  ASSERT_TRUE(store.write({host("h", 4, 4096)}, {}, {}, in(seconds(20))));
  Session frozen(connection, Purpose::kClaims);
  pqxx::work transaction(frozen.open(in(seconds(60))));
  transaction.exec("SELECT 1 FROM hosts FOR UPDATE");

  const auto taken = store.take({order(vm("v", 1, 1024), "h")}, {}, in(seconds(25)));

  EXPECT_TRUE(taken) << taken.error().message;
  EXPECT_THROW(transaction.exec("SELECT 1"), pqxx::failure);
}

TEST(Session, SaysWhoseItIsAndWhatFor) {
  const std::string connection = fresh_database(server().connection_string());
  Session session({connection, "public", "r1"}, Purpose::kClaims);
  pqxx::nontransaction transaction(session.open(in(seconds(20))));

  EXPECT_STREQ(transaction.exec1("SHOW application_name")[0].c_str(), "emplace r1 claims");
  EXPECT_STREQ(transaction.exec1("SHOW jit")[0].c_str(), "off");
  EXPECT_STREQ(transaction.exec1("SHOW synchronous_commit")[0].c_str(), "on");
}

TEST(Session, ReadsAUrlAndLeavesWhatItSays) {
  const Address address("postgresql://u@h,i/d?connect_timeout=7&options=-cgeqo%3Doff", "public", "r1");

  const std::string text = connection_string(address, Purpose::kWork);

  for (const char* const word :
       {"host='h,i'", "connect_timeout='7'", "options='-cgeqo=off'", "target_session_attrs='read-write'"})
    EXPECT_NE(text.find(word), std::string::npos) << word << " in " << text;
}

}  // namespace
}  // namespace emplace::test
