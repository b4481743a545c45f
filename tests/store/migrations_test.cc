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
  return {{"0001_a.sql", "-- A table.\nCREATE TABLE a (id int);"}, {"0002_b.sql", "-- Another.\nCREATE TABLE b (id int);"}};
}

TEST(Migrations, AreAppliedOnceAndInOrder) {
  const std::string connection = empty_database("migrations_once");

  EXPECT_EQ(migrate(connection, two_migrations(), in(seconds(20))).value(), 2);
  EXPECT_EQ(migrate(connection, two_migrations(), in(seconds(20))).value(), 0);

  EXPECT_EQ(value(connection, "SELECT string_agg(name, ' ' ORDER BY version) FROM schema_migrations"), "0001_a.sql 0002_b.sql");
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

TEST(Migrations, RefuseANewerSchema) {
  const std::string connection = empty_database("migrations_newer");
  const auto both = two_migrations();
  ASSERT_TRUE(migrate(connection, both, in(seconds(20))));

  const auto result = migrate(connection, std::span(both).first(1), in(seconds(20)));

  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("schema version 2, this program knows up to 1"), std::string::npos)
      << result.error().message;
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
