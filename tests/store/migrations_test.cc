#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "service/store/migrations.h"
#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

using std::chrono::seconds;

std::string empty_database(const std::string& name) {
  const std::string server_connection = server().connection_string();
  query(server_connection, "CREATE DATABASE " + name);
  return server_connection + " dbname=" + name;
}

std::vector<Migration> two_migrations() {
  return {{"0001_a.sql", "-- A table.\nCREATE TABLE a (id int);"},
          {"0002_b.sql", "-- Another.\nCREATE TABLE b (id int);"}};
}

TEST(Migrations, AreAppliedOnceAndInOrder) {
  const std::string connection = empty_database("migrations_once");

  EXPECT_EQ(migrate(connection, two_migrations(), in(seconds(20))).value(), 2);
  EXPECT_EQ(migrate(connection, two_migrations(), in(seconds(20))).value(), 0);

  EXPECT_EQ(value(connection, "SELECT string_agg(name, ' ' ORDER BY version) FROM schema_migrations"),
            "0001_a.sql 0002_b.sql");
}

TEST(Migrations, AreAppliedOnceByManyProgramsAtOnce) {
  const std::string connection = empty_database("migrations_at_once");
  std::atomic<int> applied{0};

  std::vector<std::thread> programs;
  for (int i = 0; i < 4; ++i)
    programs.emplace_back([&] { applied += migrate(connection, known_migrations(), in(seconds(30))).value_or(1000); });
  for (auto& program : programs) program.join();

  EXPECT_EQ(applied, static_cast<int>(known_migrations().size()));
}

TEST(Migrations, RefuseAFileThatChanged) {
  const std::string connection = empty_database("migrations_changed");
  ASSERT_TRUE(migrate(connection, two_migrations(), in(seconds(20))));
  auto changed = two_migrations();
  changed[0].sql += " ";

  const auto result = migrate(connection, changed, in(seconds(20)));

  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("0001_a.sql was changed"), std::string::npos) << result.error().message;
}

TEST(Migrations, TakeANewerSchemaSoThatAReplicaOfTheReleaseBeforeCanStart) {
  const std::string connection = empty_database("migrations_newer");
  const auto both = two_migrations();
  ASSERT_TRUE(migrate(connection, both, in(seconds(20))));

  EXPECT_EQ(migrate(connection, std::span(both).first(1), in(seconds(20))).value(), 0);

  EXPECT_EQ(value(connection, "SELECT count(*) FROM schema_migrations"), "2");
}

TEST(Migrations, RefuseANewerSchemaThatSaysSo) {
  const std::string connection = empty_database("migrations_too_new");
  auto three = two_migrations();
  three.push_back({"0003_c.sql", "-- Takes a away.\n-- oldest_program: 2\nDROP TABLE a;"});
  ASSERT_TRUE(migrate(connection, three, in(seconds(20))));

  const auto oldest = migrate(connection, std::span(three).first(2), in(seconds(20)));
  const auto older = migrate(connection, std::span(three).first(1), in(seconds(20)));

  EXPECT_TRUE(oldest) << oldest.error().message;
  ASSERT_FALSE(older);
  EXPECT_NE(
      older.error().message.find("0003_c.sql, which wants programs that know migration 2, this one knows up to 1"),
      std::string::npos)
      << older.error().message;
}

TEST(Migrations, MakeTheSchemaThatIsNamedAndNoOther) {
  const std::string connection = empty_database("migrations_schema");

  const auto made = migrate({connection, "a \"b\""}, known_migrations(), in(seconds(20)));
  const auto lost = migrate(connection, known_migrations(), in(seconds(20)));

  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(value(connection, "SELECT count(*) FROM pg_tables WHERE schemaname = 'a \"b\"' AND tablename = 'hosts'"),
            "1");
  EXPECT_EQ(value(connection, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
  ASSERT_FALSE(lost);
  EXPECT_NE(lost.error().message.find("say [database] schema = \"a \"b\"\""), std::string::npos)
      << lost.error().message;
}

TEST(Migrations, SayWhatARoleMayNotDo) {
  const std::string connection = empty_database("migrations_role");
  query(connection, "CREATE ROLE guest LOGIN");

  const auto result = migrate(connection + " user=guest", known_migrations(), in(seconds(20)));

  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("GRANT CREATE ON SCHEMA public"), std::string::npos) << result.error().message;
}

TEST(Migrations, LeaveNothingOfOneThatFails) {
  const std::string connection = empty_database("migrations_fail");
  auto broken = two_migrations();
  broken[1].sql = "CREATE TABLE b (id int); SELECT 1 / 0;";

  EXPECT_FALSE(migrate(connection, broken, in(seconds(20))));

  EXPECT_EQ(value(connection, "SELECT count(*) FROM schema_migrations"), "1");
  EXPECT_EQ(value(connection, "SELECT count(*) FROM pg_tables WHERE tablename = 'b'"), "0");
}

TEST(Migrations, OpenWithASentenceOfWhy) {
  for (const Migration& migration : known_migrations()) EXPECT_TRUE(migration.sql.starts_with("-- ")) << migration.name;
}

}  // namespace
}  // namespace emplace::test
