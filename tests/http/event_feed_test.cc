#include "service/rest/event_feed.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "tests/fuzz/doors.h"
#include "tests/http/serving.h"

namespace emplace::http {
namespace {

using std::chrono::milliseconds;

// The events of a store whose history somebody may replace by another one.
class HistoryStore : public fuzz::DeafStore {
 public:
  explicit HistoryStore(std::vector<Event> events) : events_(std::move(events)) {}
  void replace(std::vector<Event> events) {
    const std::lock_guard lock(mutex_);
    events_ = std::move(events);
  }
  Result<std::vector<Event>> events_after(std::int64_t seq, std::size_t limit, Deadline) override {
    const std::lock_guard lock(mutex_);
    std::vector<Event> after;
    for (const Event& event : events_) {
      if (event.seq > seq && after.size() < limit) after.push_back(event);
    }
    return after;
  }

 private:
  std::mutex mutex_;
  std::vector<Event> events_;
};

// An empty picture, of which only the version matters.
class VersionedPictures : public Pictures {
 public:
  explicit VersionedPictures(PictureVersion version) { show(std::move(version)); }
  void show(PictureVersion version) {
    PictureBuilder builder(std::make_shared<const Picture>(arena_));
    const std::lock_guard lock(mutex_);
    latest_ = builder.finish(std::move(version), 0);
    changed_.notify_all();
  }
  std::shared_ptr<const Picture> latest() const override {
    const std::lock_guard lock(mutex_);
    return latest_;
  }
  bool wait_for(std::int64_t seq, Deadline deadline) const override {
    std::unique_lock lock(mutex_);
    const std::int64_t loads = latest_->version().loads;
    changed_.wait_until(lock, deadline,
                        [&] { return latest_->version().event_seq >= seq || latest_->version().loads != loads; });
    return latest_->version().event_seq >= seq;
  }
  Result<std::shared_ptr<const Picture>> at(const PictureVersion&) const override { return latest(); }

 private:
  const std::shared_ptr<Arena> arena_ = *Arena::create(1 << 28);
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::shared_ptr<const Picture> latest_;
};

class Heard : public Stream {
 public:
  bool write(Bytes bytes) override {
    const std::lock_guard lock(mutex_);
    if (*bytes != ":\n\n") text_ += *bytes;
    return true;
  }
  std::size_t unsent() const override { return unsent_; }
  void finish() override { alive_ = false; }
  bool alive() const override { return alive_; }
  void on_close(std::function<void()>) override {}

  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  bool says(const std::string& wanted) const {
    return eventually([&] { return text().find(wanted) != std::string::npos; });
  }
  void hold(std::size_t bytes) { unsent_ = bytes; }  // as a client that does not read

 private:
  mutable std::mutex mutex_;
  std::string text_;
  std::atomic<std::size_t> unsent_ = 0;
  std::atomic<bool> alive_ = true;
};

std::vector<Event> events(std::int64_t first, std::int64_t last, const std::string& of) {
  std::vector<Event> all;
  for (std::int64_t seq = first; seq <= last; ++seq)
    all.push_back({seq, 0, "group", "{\"name\":\"" + of + std::to_string(seq) + "\"}"});
  return all;
}

// Store and picture stand at event 7.
class AnEventFeed : public ::testing::Test {
 protected:
  std::shared_ptr<Heard> joined(std::int64_t seq, const std::string& project = "") {
    const auto stream = std::make_shared<Heard>();
    const std::size_t before = feed_.streams();
    feed_.join(stream, seq, project);
    EXPECT_TRUE(eventually([&] { return feed_.streams() == before + 1; }));
    return stream;
  }
  // Another history took the place of the store's, and the picture was loaded from it.
  void turn_to_other_history(std::int64_t newest) {
    store_.replace(events(1, newest, "other"));
    pictures_.show({"a", 2, newest, 2});
  }

  HistoryStore store_{events(1, 7, "old")};
  VersionedPictures pictures_{{"a", 1, 7, 1}};
  EventFeed feed_{pictures_, store_, milliseconds(60'000)};
};

TEST_F(AnEventFeed, SaysThatTheStoreWasReplacedByAnOlderOne) {
  const auto stream = joined(7), of_project = joined(7, "p");
  turn_to_other_history(4);
  EXPECT_TRUE(stream->says("event: gap\ndata: {\"after\":7,\"next\":5}\n\n"));
  EXPECT_TRUE(of_project->says("event: gap"));
}

TEST_F(AnEventFeed, SaysSoWhateverTheNewestEventOfTheOtherHistoryIs) {
  for (const std::int64_t newest : {7, 12}) {
    store_.replace(events(1, 7, "old"));
    pictures_.show({"a", 1, 7, 1});
    const auto stream = joined(7);
    turn_to_other_history(newest);
    EXPECT_TRUE(stream->says("{\"after\":7,\"next\":" + std::to_string(newest + 1) + "}")) << newest;
    EXPECT_EQ(stream->text().find("other"), std::string::npos) << "what came before the load is in the lists";
    stream->finish();
    EXPECT_TRUE(eventually([&] { return feed_.streams() == 0; }));
  }
}

TEST_F(AnEventFeed, GoesOnAfterTheLoad) {
  const auto stream = joined(7);
  turn_to_other_history(4);
  ASSERT_TRUE(stream->says("event: gap"));
  store_.replace(events(1, 9, "other"));
  pictures_.show({"a", 3, 9, 2});
  EXPECT_TRUE(stream->says("other9"));
  EXPECT_NE(stream->text().find("other5"), std::string::npos);
  EXPECT_EQ(stream->text().find("other4"), std::string::npos);
  EXPECT_EQ(stream->text().find("event: gap"), stream->text().rfind("event: gap")) << "once is enough";
}

TEST_F(AnEventFeed, TellsAStreamThatWasFullOnceItHasRoom) {
  const auto full = joined(7), other = joined(7);
  full->hold(1 << 20);
  turn_to_other_history(9);
  ASSERT_TRUE(other->says("event: gap"));
  EXPECT_EQ(full->text(), "");
  full->hold(0);
  EXPECT_TRUE(full->says("{\"after\":7,\"next\":10}"));
}

TEST_F(AnEventFeed, ResumesWithoutAGapInTheOtherHistory) {
  turn_to_other_history(9);
  const auto stream = joined(8);
  EXPECT_TRUE(stream->says("other9"));
  EXPECT_EQ(stream->text().find("event: gap"), std::string::npos);
}

TEST_F(AnEventFeed, SaysAtOnceThatAnIdIsAheadOfTheStore) {
  EXPECT_TRUE(joined(100)->says("{\"after\":100,\"next\":8}"));
}

}  // namespace
}  // namespace emplace::http
