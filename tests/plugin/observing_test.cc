// Observers are told of every change, whichever pictures are asked about in whichever order.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "service/plugins/changes.h"
#include "service/plugins/observed.h"
#include "tests/plugin/asking.h"

namespace emplace {
namespace {

using asking::Asked;
using asking::host;
using asking::Loaded;
using asking::request;
using testing_rows::empty_picture;
using testing_rows::with_changes;

// What the mirror plugin's index must say, from the picture alone.
std::vector<double> by_definition(const Picture& picture, const std::vector<std::uint32_t>& rows) {
  double others = 0;
  std::map<std::uint32_t, double> memory;
  for (std::uint32_t vm = 0; vm < picture.rows(Table::kVms); ++vm) {
    const auto host = picture[vms::host].get(vm);
    const auto mib = picture[vms::memory_mib].get(vm);
    if (host && mib) memory[*host] += *mib;
    others += static_cast<double>(picture[vms::name].get(vm).value_or("").size());
  }
  for (std::uint32_t row = 0; row < picture.rows(Table::kHosts); ++row) {
    const auto watts = picture[hosts::power_watts].get(row);
    if (watts) others += *watts + static_cast<double>(picture[hosts::power_watts].observed_at_us(row));
    for (const std::uint32_t aggregate :
         picture[hosts::aggregates].get(row).value_or(std::span<const std::uint32_t>())) {
      others += 1.0 + aggregate;
    }
  }
  std::vector<double> costs;
  for (const std::uint32_t row : rows) costs.push_back(others + memory[row]);
  return costs;
}

Change random_change(std::mt19937_64& random, int step) {
  const std::string host_name = "h" + std::to_string(random() % 6);
  switch (random() % 6) {
    case 0: {
      HostRow row = host(host_name);
      if (random() % 2) row.power_watts = static_cast<double>(random() % 100);
      row.observed_at_us = step;
      if (random() % 2) row.aggregates = {"a" + std::to_string(random() % 3)};
      return row;
    }
    case 1:
      return VmRemoved{testing_rows::numbered(random() % 20)};
    case 2:
      return AggregateRow{"a" + std::to_string(random() % 3)};
    default: {
      VmRow row = asking::vm(random() % 20, random() % 4 ? host_name : "", static_cast<double>(1 + random() % 64));
      if (random() % 3 == 0) row.name += std::string(random() % 9, 'x');
      return row;
    }
  }
}

// Pictures that follow each other, what-ifs that branch off old ones, and questions about any of them.
TEST(Observing, MatchesARebuildOverRandomHistories) {
  const Loaded mirror("mirror");
  const Objective& objective = mirror.objective("mirror.memory");
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<std::shared_ptr<const Picture>> pictures{empty_picture(std::uint64_t{1} << 28)};
    for (int step = 0; step < 60; ++step) {
      const bool what_if = random() % 4 == 0;
      const auto base = what_if ? pictures[random() % pictures.size()] : pictures.back();
      std::vector<Change> changes;
      for (std::uint64_t i = random() % 4; i-- > 0;) changes.push_back(random_change(random, step));
      pictures.push_back(with_changes(base, changes));

      const auto asked_about = random() % 3 ? pictures.back() : pictures[random() % pictures.size()];
      const Asked asked(asked_about, request());
      const auto costs = asked.evaluate(objective);

      ASSERT_TRUE(costs) << costs.error().message;
      ASSERT_EQ(costs->values, by_definition(*asked_about, asked.hosts())) << "seed " << seed << ", step " << step;
    }
  }
}

TEST(Observing, SeesChangesInEveryChunkOfALargeTable) {
  const Loaded mirror("mirror");
  const Objective& objective = mirror.objective("mirror.memory");
  std::vector<Change> changes{host("h0"), host("h1"), host("h2"), host("h3"), host("h4"), host("h5")};
  for (std::uint64_t i = 0; i < 3 * kChunkRows; ++i) changes.emplace_back(asking::vm(i, "h" + std::to_string(i % 6)));
  auto picture = with_changes(empty_picture(), changes);
  for (const std::uint64_t id : {std::uint64_t{0}, std::uint64_t{kChunkRows - 1}, std::uint64_t{kChunkRows},
                                 std::uint64_t{3 * kChunkRows - 1}, std::uint64_t{3 * kChunkRows}}) {
    ASSERT_EQ(Asked(picture, request()).evaluate(objective).value().values,
              by_definition(*picture, Asked(picture, request()).hosts()));
    picture = with_changes(picture, {asking::vm(id, "h0", 1000)});
    const Asked asked(picture, request());
    ASSERT_EQ(asked.evaluate(objective).value().values, by_definition(*picture, asked.hosts())) << id;
  }
}

TEST(Observing, ShowsAPictureOnceAndWarmsUpAhead) {
  const Loaded mirror("mirror");
  const auto picture = with_changes(empty_picture(std::uint64_t{1} << 28), {host("h0")});

  mirror.plugins->observe(*picture);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Asked(picture, request()).evaluate(mirror.objective("mirror.memory")));

  EXPECT_EQ(mirror.plugins->status()[0].observations, 1u);
}

// Offsets and identities of one arena mean nothing in another.
TEST(Observing, KeepsPicturesOfTwoArenasApart) {
  const Loaded mirror("mirror");
  const Objective& objective = mirror.objective("mirror.memory");
  for (const double memory : {1.0, 2.0, 3.0}) {
    const auto picture = with_changes(empty_picture(std::uint64_t{1} << 28), {host("h0"), asking::vm(1, "h0", memory)});
    const Asked asked(picture, request());
    EXPECT_EQ(asked.evaluate(objective).value().values, by_definition(*picture, asked.hosts()));
  }
}

// A writer goes on while several threads ask about their own versions.
TEST(Observing, AnswersManyThreadsAtOnce) {
  const Loaded mirror("mirror");
  const Objective& objective = mirror.objective("mirror.memory");
  std::vector<std::shared_ptr<const Picture>> pictures{empty_picture(std::uint64_t{1} << 28)};
  std::mt19937_64 random(7);
  for (int step = 0; step < 40; ++step)
    pictures.push_back(with_changes(pictures.back(), {random_change(random, step)}));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::size_t i = 0; i < 200; ++i) {
        const Asked asked(pictures[(i / 5 + thread * 3) % pictures.size()], request());
        const auto costs = asked.evaluate(objective);
        wrong += !costs || costs->values != by_definition(*asked.picture, asked.hosts());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace emplace
