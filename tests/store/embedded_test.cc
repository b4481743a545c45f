#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <map>
#include <thread>

#include "service/store/child_process.h"
#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

using std::chrono::seconds;

// Asks until it answers, within twenty seconds.
bool answers(const std::string& connection) {
  for (const auto end = in(seconds(20)); std::chrono::steady_clock::now() < end;) {
    try {
      return value(connection, "SELECT 1") == "1";
    } catch (const std::exception&) {
      std::this_thread::yield();
    }
  }
  return false;
}

unsigned mode(const std::filesystem::path& path) {
  struct stat status {};
  stat(path.c_str(), &status);
  return status.st_mode & 07777;
}

TEST(EmbeddedPostgres, KeepsItsDataFromStartToStart) {
  const TemporaryDirectory directory;
  {
    const auto first = EmbeddedPostgres::start(directory.path(), quiet_log());
    ASSERT_TRUE(first) << first.error().message;
    query((*first)->connection_string(), "CREATE TABLE kept (n int)");
    query((*first)->connection_string(), "INSERT INTO kept VALUES (7)");
  }

  const auto second = EmbeddedPostgres::start(directory.path(), quiet_log());

  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(value((*second)->connection_string(), "SELECT n FROM kept"), "7");
  EXPECT_EQ(value((*second)->connection_string(), "SHOW fsync"), "on");
  EXPECT_EQ(value((*second)->connection_string(), "SHOW synchronous_commit"), "on");
  EXPECT_EQ(value((*second)->connection_string(), "SHOW listen_addresses"), "");
  EXPECT_EQ(mode(directory.path()), 0711u);
  EXPECT_EQ(mode(directory.path() / "pg"), 0700u);
}

TEST(EmbeddedPostgres, IsStartedAgainWhenItDies) {
  const TemporaryDirectory directory;
  const auto postgres = EmbeddedPostgres::start(directory.path(), quiet_log());
  ASSERT_TRUE(postgres) << postgres.error().message;
  const int first = (*postgres)->pid();

  ASSERT_EQ(kill(first, SIGKILL), 0);
  while ((*postgres)->pid() == first) std::this_thread::yield();

  EXPECT_TRUE(answers((*postgres)->connection_string()));
}

TEST(EmbeddedPostgres, RefusesADirectoryInUse) {
  const TemporaryDirectory directory;
  const auto first = EmbeddedPostgres::start(directory.path(), quiet_log());
  ASSERT_TRUE(first) << first.error().message;

  const auto second = EmbeddedPostgres::start(directory.path(), quiet_log());

  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("in use by another emplaced (pid " + std::to_string(getpid())),
            std::string::npos)
      << second.error().message;
}

TEST(EmbeddedPostgres, RefusesAnotherLayoutAndAnotherMajor) {
  const TemporaryDirectory other_layout, other_major;
  std::ofstream(other_layout.path() / "layout") << "99\n";
  std::ofstream(other_major.path() / "layout") << "1\n";
  std::filesystem::create_directory(other_major.path() / "pg");
  std::ofstream(other_major.path() / "pg/PG_VERSION") << "9\n";

  const auto layout = EmbeddedPostgres::start(other_layout.path(), quiet_log());
  const auto major = EmbeddedPostgres::start(other_major.path(), quiet_log());

  ASSERT_FALSE(layout);
  EXPECT_NE(layout.error().message.find("layout version \"99\""), std::string::npos) << layout.error().message;
  ASSERT_FALSE(major);
  EXPECT_NE(major.error().message.find("made by PostgreSQL 9"), std::string::npos) << major.error().message;
}

// Path and size of each file of a database but its log and its signs of life.
std::map<std::string, std::uintmax_t> files_of(const std::filesystem::path& cluster) {
  std::map<std::string, std::uintmax_t> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(cluster)) {
    const std::string name = entry.path().filename();
    if (entry.is_regular_file() && !name.starts_with("postmaster.")) files[entry.path()] = entry.file_size();
  }
  return files;
}

TEST(EmbeddedPostgres, RefusesATornDatabaseAndLeavesItAsItIs) {
  for (const char* const torn : {"global/pg_control", "PG_VERSION"}) {
    const TemporaryDirectory directory;
    ASSERT_TRUE(EmbeddedPostgres::start(directory.path(), quiet_log()));
    std::filesystem::remove(directory.path() / "pg" / torn);
    const auto before = files_of(directory.path() / "pg");

    const auto again = EmbeddedPostgres::start(directory.path(), quiet_log());

    ASSERT_FALSE(again) << torn;
    const std::string& message = again.error().message;
    EXPECT_NE(message.find(directory.path().string()), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_EQ(files_of(directory.path() / "pg"), before) << torn;
  }
}

TEST(EmbeddedPostgres, TakesAShortSocketPathWhereTheDirectoryIsLong) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / std::string(60, 'x') / std::string(60, 'y');

  const auto postgres = EmbeddedPostgres::start(path, quiet_log());

  ASSERT_TRUE(postgres) << postgres.error().message;
  EXPECT_EQ(value((*postgres)->connection_string(), "SELECT 1"), "1");
}

// What an emplaced that is killed leaves behind: a child makes the server and is killed with SIGKILL.
TEST(EmbeddedPostgres, TakesOverFromOneThatWasKilled) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(EmbeddedPostgres::start(directory.path(), quiet_log()));
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const int child = fork();
  if (child == 0) {
    const auto postgres = EmbeddedPostgres::start(directory.path(), quiet_log());
    const char byte = postgres ? 'y' : 'n';
    [[maybe_unused]] const auto written = write(ready[1], &byte, 1);
    pause();
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);

  const auto postgres = EmbeddedPostgres::start(directory.path(), quiet_log());

  ASSERT_TRUE(postgres) << postgres.error().message;
  EXPECT_EQ(value((*postgres)->connection_string(), "SELECT 1"), "1");
}

}  // namespace
}  // namespace emplace::test
