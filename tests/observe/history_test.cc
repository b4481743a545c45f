#include "service/observe/history.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>

#include "service/core/change/change.h"
#include "service/observe/observer.h"

namespace emplace::observe {
namespace {

constexpr std::uint64_t kArenaBytes = std::uint64_t{1} << 30;

class HistoryTest : public ::testing::Test {
 protected:
  HistoryTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "history-XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~HistoryTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Observer> observer(HistoryOptions options = {}) {
    options.directory = directory_ + "/history";
    if (options.replica.empty()) options.replica = "a";
    return std::make_unique<Observer>(
        arena_, options.replica, *History::open(options), [this] { return now_us_ += 1000; },
        [this](const std::string& line) { complaints_.push_back(line); });
  }
  static Event event(std::int64_t seq, const Change& change) { return {seq, 0, "", to_json(change)}; }
  static HostRow host(const std::string& name, double vcpus) {
    HostRow row;
    row.name = name;
    row.vcpus = vcpus;
    row.memory_mib = 4096;
    return row;
  }
  static std::vector<std::string> lines_of(const Picture& picture) {
    std::vector<std::string> lines;
    for (const Change& change : changes_of(picture)) lines.push_back(to_json(change));
    std::sort(lines.begin(), lines.end());
    return lines;
  }

  std::shared_ptr<Arena> arena_ = *Arena::create(kArenaBytes);
  std::string directory_;
  std::vector<std::string> complaints_;
  std::int64_t now_us_ = 1'700'000'000'000'000;
};

TEST_F(HistoryTest, GivesEveryVersionAgain) {
  const auto observer = this->observer();
  observer->load({host("h0", 8)}, 10);
  std::vector<std::shared_ptr<const Picture>> pictures{observer->latest()};
  for (int i = 1; i <= 50; ++i) {
    VmRow vm;
    vm.id.bytes[0] = static_cast<std::uint8_t>(i);
    vm.name = "v" + std::to_string(i);
    vm.host = "h0";
    vm.vcpus = i;
    observer->apply(std::vector{event(10 + 2 * i, host("h" + std::to_string(i), i)), event(11 + 2 * i, vm)});
    pictures.push_back(observer->latest());
  }

  for (const auto& picture : pictures) {
    const auto again = observer->at(picture->version());
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(lines_of(**again), lines_of(*picture));
    EXPECT_EQ((*again)->version().event_seq, picture->version().event_seq);
    EXPECT_EQ((*again)->made_at_us(), picture->made_at_us());
  }
}

TEST_F(HistoryTest, OutlivesARestartAndNeverUsesAVersionTwice) {
  PictureVersion version;
  {
    const auto first = observer();
    first->load({host("h0", 8)}, 1);
    first->apply(std::vector{event(2, host("h1", 8))});
    version = first->latest()->version();
    first->apply(std::vector{event(3, host("h2", 8))});
  }
  const auto second = observer();
  second->load({host("h9", 1)}, 3);

  const auto again = second->at(version);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_NE((*again)->find_host("h1"), kNoRow);
  EXPECT_EQ((*again)->find_host("h2"), kNoRow);
  EXPECT_GT(second->latest()->version().version, version.version + 1);
}

TEST_F(HistoryTest, SaysThatAnUnknownVersionHasExpired) {
  const auto observer = this->observer();
  observer->load({}, 1);
  for (const PictureVersion& version : {PictureVersion{"a", 4242, 1}, PictureVersion{"b", 1, 1}}) {
    const auto picture = observer->at(version);
    ASSERT_FALSE(picture);
    EXPECT_EQ(picture.error().code, ErrorCode::kGone);
    EXPECT_EQ(picture.error().detail_code, "emplace.replay.expired");
  }
}

TEST_F(HistoryTest, DropsTheOldestSegmentsBeyondItsLimit) {
  HistoryOptions options;
  options.limit_bytes = 20'000;
  options.segment_us = 1;  // a segment a version
  const auto observer = this->observer(options);
  observer->load({}, 0);
  const PictureVersion first = observer->latest()->version();
  for (int i = 1; i <= 300; ++i) observer->apply(std::vector{event(i, host("h" + std::to_string(i), i))});
  const PictureVersion last_but_one = observer->latest()->version();
  observer->apply(std::vector{event(301, host("h301", 1))});

  EXPECT_TRUE(observer->at(last_but_one));
  EXPECT_FALSE(observer->at(first));
  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_ + "/history")) bytes += entry.file_size();
  EXPECT_LT(bytes, 2 * options.limit_bytes);
}

TEST_F(HistoryTest, ReadsATornSegmentAsFarAsItIsWhole) {
  PictureVersion version;
  {
    const auto first = observer();
    first->load({host("h0", 8)}, 1);
    version = first->latest()->version();
    for (int i = 2; i < 200; ++i) first->apply(std::vector{event(i, host("h" + std::to_string(i), i))});
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory_ + "/history")) {
    std::filesystem::resize_file(entry.path(), entry.file_size() - 10);
  }

  const auto second = observer();
  EXPECT_FALSE(second->at({"a", version.version + 500, 0}));
  second->load({}, 500);
  EXPECT_TRUE(second->at(second->latest()->version()));
}

TEST_F(HistoryTest, SaysWhichEventItCannotRead) {
  const auto observer = this->observer();
  observer->load({}, 0);

  observer->apply(
      {{Event{1, 0, "profile", "{}"}, Event{2, 0, "comet", R"({"kind":"comet"})"}, event(3, host("h", 1))}});

  ASSERT_EQ(complaints_.size(), 1u);
  EXPECT_EQ(complaints_[0].substr(0, 17), "event 2 (comet) i");
  EXPECT_NE(observer->latest()->find_host("h"), kNoRow);
}

TEST_F(HistoryTest, SkipsEventsThatThePictureHasAlready) {
  const auto observer = this->observer();
  observer->load({host("h0", 8)}, 5);
  const auto version = observer->latest()->version().version;

  observer->apply(std::vector{event(4, host("h0", 99)), event(5, host("h0", 99))});
  EXPECT_EQ(observer->latest()->version().version, version);
  EXPECT_EQ((*observer->latest())[hosts::vcpus][observer->latest()->find_host("h0")], 8);

  observer->apply(std::vector{event(6, host("h0", 99))});
  EXPECT_EQ((*observer->latest())[hosts::vcpus][observer->latest()->find_host("h0")], 99);
  EXPECT_TRUE(observer->wait_for(6, std::chrono::steady_clock::now()));
  EXPECT_FALSE(observer->wait_for(7, std::chrono::steady_clock::now()));
}

TEST_F(HistoryTest, CountsHowOftenTheStateWasLoaded) {
  const auto observer = this->observer();
  observer->load({host("h0", 8)}, 10);
  const std::int64_t first = observer->latest()->version().loads;
  observer->apply(std::vector<Event>{event(11, host("h0", 9))});
  observer->amend(std::vector<Change>{host("h0", 7)});
  EXPECT_EQ(observer->latest()->version().loads, first);
  observer->load({host("h0", 8)}, 11);
  EXPECT_EQ(observer->latest()->version().loads, first + 1);
}

TEST_F(HistoryTest, LetsNobodyWaitForAnEventThatWasLostInALoad) {
  const auto observer = this->observer();
  observer->load({host("h0", 8)}, 10);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  auto waiting = std::async(std::launch::async, [&] { return observer->wait_for(11, deadline); });
  while (waiting.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready)
    observer->load({host("h0", 8)}, 5);
  EXPECT_FALSE(waiting.get());
  EXPECT_LT(std::chrono::steady_clock::now(), deadline);
}

}  // namespace
}  // namespace emplace::observe
