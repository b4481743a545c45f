// A PostgreSQL of its own that is killed or stopped under the store.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Outage : public testing::Test {
 protected:
  void SetUp() override {
    auto started = EmbeddedPostgres::start(directory_.path(), quiet_log());
    ASSERT_TRUE(started) << started.error().message;
    postgres_ = std::move(*started);
    connection_ = fresh_database(postgres_->connection_string());
    store_ = std::make_unique<PostgresStore>(options_for(connection_));
    ASSERT_TRUE(store_->write({host("h", 1e6, 1e9)}, {}, {}, in(seconds(20))));
  }

  // The servers of connections and whatever else the postmaster started.
  std::vector<int> children() const {
    std::vector<int> pids;
    const std::string parent = std::to_string(postgres_->pid());
    std::ifstream list("/proc/" + parent + "/task/" + parent + "/children");
    for (int pid = 0; list >> pid;) pids.push_back(pid);
    return pids;
  }
  void signal_all(int signal) const {
    kill(postgres_->pid(), signal);
    for (const int pid : children()) kill(pid, signal);
  }
  bool works_again() {
    for (const auto end = in(seconds(30)); std::chrono::steady_clock::now() < end;)
      if (store_->take({order(vm("v", 1, 1), "h")}, {}, in(seconds(2)))) return true;
    return false;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<EmbeddedPostgres> postgres_;
  std::string connection_;
  std::unique_ptr<PostgresStore> store_;
};

TEST_F(Outage, ByAKillLosesNoClaimThatWasToldAndInventsNone) {
  std::mutex mutex;
  std::set<std::string> told, unknown;
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i)
    callers.emplace_back([&] {
      while (!stop) {
        const ClaimOrder wanted = order(vm("v", 1, 1), "h");
        const auto taken = store_->take({wanted}, {}, in(seconds(5)));
        const std::lock_guard lock(mutex);
        if (taken) told.insert(to_string(wanted.id));
        if (!taken && taken.error().code == ErrorCode::kUnknownOutcome) unknown.insert(to_string(wanted.id));
      }
    });
  for (int round = 0; round < 3; ++round) {
    const int pid = postgres_->pid();
    kill(pid, SIGKILL);
    while (postgres_->pid() == pid || postgres_->pid() == 0) std::this_thread::yield();
    EXPECT_TRUE(works_again());
  }
  stop = true;
  for (auto& caller : callers) caller.join();

  std::set<std::string> stored;
  for (const auto& row : query(connection_, "SELECT id FROM claims WHERE state = 'held'")) stored.insert(row.at(0));
  for (const auto& id : told) EXPECT_TRUE(stored.contains(id)) << "told but lost: " << id;
  EXPECT_GT(told.size(), 0u);
  EXPECT_EQ(value(connection_, "SELECT max(seq) - count(*) FROM events"), "0");
  EXPECT_EQ(broken_rules(connection_), std::vector<std::string>{});
}

TEST_F(Outage, ByAStoppedServerKeepsNobodyBeyondTheDeadline) {
  ASSERT_TRUE(store_->claims({}, in(seconds(5))));
  signal_all(SIGSTOP);
  const ClaimOrder wanted = order(vm("v", 1, 1), "h");

  const auto start = std::chrono::steady_clock::now();
  const auto taken = store_->take({wanted}, {}, in(milliseconds(300)));
  const auto read = store_->claims({}, in(milliseconds(300)));
  const auto waited = std::chrono::steady_clock::now() - start;

  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kUnavailable) << taken.error().message;
  EXPECT_GT(taken.error().retry_after_s, 0);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kUnavailable) << read.error().message;
  EXPECT_LT(waited, seconds(5)) << "it would have waited for ever";
  signal_all(SIGCONT);
  EXPECT_TRUE(works_again());
  EXPECT_EQ(value(connection_, "SELECT count(*) FROM claims WHERE id = '" + to_string(wanted.id) + "'"), "0")
      << "unavailable means that nothing was taken, also later";
  // A session that was held up may find its connection broken only now.
  const auto connected = [&] { return store_->claims({}, in(seconds(2))) && store_->state().connected; };
  for (const auto end = in(seconds(20)); !connected() && std::chrono::steady_clock::now() < end;)
    std::this_thread::yield();
  EXPECT_TRUE(connected());
}

TEST_F(Outage, IsSeenInTheStateAndFollowedByEvents) {
  std::mutex mutex;
  std::condition_variable changed;
  std::int64_t last = 0;
  const auto tail = store_->tail(
      0,
      [&](std::span<const Event> events) {
        const std::lock_guard lock(mutex);
        EXPECT_EQ(events.front().seq, last + 1);
        last = events.back().seq;
        changed.notify_all();
      },
      [](EventTail::Loss) -> std::optional<std::int64_t> {
        ADD_FAILURE();
        return std::nullopt;
      });
  store_->keep_house();
  signal_all(SIGSTOP);

  const auto down = [&] { return !store_->state().connected; };
  for (const auto end = in(seconds(20)); !down() && std::chrono::steady_clock::now() < end;) std::this_thread::yield();
  EXPECT_TRUE(down());
  EXPECT_FALSE(store_->state().message.empty());

  signal_all(SIGCONT);
  ASSERT_TRUE(works_again());
  const auto newest = std::stoll(value(connection_, "SELECT seq FROM event_head"));
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_until(lock, in(seconds(30)), [&] { return last >= newest; }));
}

}  // namespace
}  // namespace emplace::test
