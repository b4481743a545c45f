// Rules of plugins as the core uses them: results are checked, failures are Errors that say who and why.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/plugin/asking.h"

namespace emplace {
namespace {

using asking::Asked;
using asking::host;
using asking::Loaded;
using asking::request;
using asking::three_hosts;
using testing_rows::picture_of;

TEST(PluginFilter, KeepsAndRefusesWithAReason) {
  const Loaded good("good", R"({"minimum_mib":100})");
  const Asked asked(three_hosts(), request("new", 500));

  const auto screened = asking::screen(good.filter("good.filter"), asked);

  ASSERT_TRUE(screened.done) << screened.done.error().message;
  EXPECT_EQ(screened.kept, (std::vector<std::string>{"middle", "big"}));
  const std::uint32_t small = asked.picture->find_host("small");
  EXPECT_EQ(screened.reasons[small], 7);
  const Refusal why = good.filter("good.filter").explain(*asked.query, small, 7);
  EXPECT_EQ(why.code, "test.memory");
  EXPECT_EQ(std::get<double>(why.wanted), 600);
  EXPECT_EQ(std::get<double>(why.found), 100);
  EXPECT_EQ(why.unit, "MiB");
}

TEST(PluginFilter, JudgesOnlyTheCandidates) {
  const Loaded good("good");
  std::vector<Change> changes;
  for (int i = 0; i < 200; ++i) changes.emplace_back(host("h" + std::to_string(i), i % 3 == 0 ? 10 : 1000));
  const Asked asked(picture_of(changes), request("new", 500));
  Candidates candidates(asked.picture->rows(Table::kHosts));
  for (std::uint32_t row = 1; row < 200; row += 2) candidates.insert(row);
  std::vector<std::uint8_t> reasons(candidates.rows());

  ASSERT_TRUE(good.filter("good.filter").screen(*asked.query, candidates, reasons));

  for (std::uint32_t row = 0; row < 200; ++row) {
    const bool big = (*asked.picture)[hosts::memory_free_mib][row] >= 500;
    EXPECT_EQ(candidates.has(row), row % 2 == 1 && big) << row;
    EXPECT_EQ(reasons[row], row % 2 == 1 && !big ? 7 : 0) << row;
  }
}

TEST(PluginObjective, HandsOverCostsUnitAndTraits) {
  const Loaded good("good");
  const Asked asked(three_hosts(), request());
  const Objective& objective = good.objective("good.cost");

  const auto costs = asked.evaluate(objective);

  ASSERT_TRUE(costs) << costs.error().message;
  EXPECT_EQ(costs->values, (std::vector<double>{-100, -1000, -10000}));
  EXPECT_EQ(objective.unit(), "MiB");
  EXPECT_EQ(objective.traits().plugin, "good");
  EXPECT_EQ(objective.traits().version, "1.0.0");
}

TEST(PluginObjective, ComesFromCToo) {
  const Loaded plain("plain");
  const Asked asked(three_hosts(), request());

  EXPECT_EQ(asked.evaluate(plain.objective("plain.cost")).value().values, (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(asking::screen(plain.filter("plain.filter"), asked).kept.size(), 3u);
  const Refusal unexplained = plain.filter("plain.filter").explain(*asked.query, 0, 1);
  EXPECT_EQ(unexplained.code, "plain.filter.unexplained");
}

TEST(PluginRules, TakeNoHostsAtAll) {
  const Loaded good("good");
  const Asked asked(picture_of({}), request());

  EXPECT_TRUE(asking::screen(good.filter("good.filter"), asked).done);
  EXPECT_TRUE(asked.evaluate(good.objective("good.cost")).value().values.empty());
}

std::string failure(const std::string& plugin) {
  const Loaded bad(plugin);
  const auto costs = Asked(three_hosts(), request()).evaluate(bad.objective(plugin + ".cost"));
  return costs ? "took it" : costs.error().message;
}

TEST(PluginObjective, RefusesBadResults) {
  EXPECT_EQ(failure("nan"), "plugin nan, nan.cost: wanted a finite cost for candidate 0, found nan");
  EXPECT_EQ(failure("wrongcount"), "plugin wrongcount, wrongcount.cost: wanted results for 3 candidates, found 1");
  EXPECT_EQ(failure("wrongquality"),
            "plugin wrongquality, wrongquality.cost: wanted a quality from 0 to 2 for candidate 0, found 3");
  EXPECT_EQ(failure("throwing"), "plugin throwing, throwing.cost: an exception that is not a std::exception");
}

TEST(PluginFilter, RefusesBadResultsAndChangesNothing) {
  const Asked asked(three_hosts(), request("new", 500));

  const auto without_reason = asking::screen(Loaded("noreason").filter("noreason.filter"), asked);
  EXPECT_EQ(without_reason.done.error().message,
            "plugin noreason, noreason.filter: wanted a reason for candidate 0, found 0");
  EXPECT_EQ(without_reason.kept.size(), 3u);
  EXPECT_EQ(without_reason.reasons, std::vector<std::uint8_t>(3));

  const auto thrown = asking::screen(Loaded("throwing").filter("throwing.filter"), asked);
  EXPECT_EQ(thrown.done.error().message, "plugin throwing, throwing.filter: no mood for this");
  EXPECT_EQ(thrown.done.error().code, ErrorCode::kUnavailable);
}

TEST(PluginStatus, CountsCallsErrorsAndTime) {
  const Loaded bad("nan");
  const Asked asked(three_hosts(), request());
  EXPECT_FALSE(asked.evaluate(bad.objective("nan.cost")));
  EXPECT_TRUE(asking::screen(bad.filter("nan.filter"), asked).done);

  const auto status = bad.plugins->status();

  ASSERT_EQ(status.size(), 1u);
  EXPECT_EQ(status[0].state, "active");
  ASSERT_EQ(status[0].rules.size(), 2u);
  EXPECT_EQ(status[0].rules[0].kind, "filter");
  EXPECT_EQ(status[0].rules[0].counts.calls, 1u);
  EXPECT_EQ(status[0].rules[0].counts.errors, 0u);
  EXPECT_EQ(status[0].rules[1].counts.errors, 1u);
  EXPECT_EQ(status[0].configuration, R"({"minimum_mib":0,"label":"x","list":[1,2]})");
}

// A clock of the test's own: each look at it is `step` later.
struct SteppedClock {
  std::shared_ptr<std::atomic<std::int64_t>> now = std::make_shared<std::atomic<std::int64_t>>(1);
  std::shared_ptr<std::atomic<std::int64_t>> step = std::make_shared<std::atomic<std::int64_t>>(0);
  Tick tick() const {
    return [now = now, step = step] { return now->fetch_add(*step); };
  }
};

TEST(PluginDeadline, SetsAPluginAsideThatMissesItAgainAndAgain) {
  const SteppedClock clock;
  auto settings = asking::settings();
  settings.tick = clock.tick();
  const Loaded good("good", "{}", settings);
  const Objective& objective = good.objective("good.cost");
  const Asked asked(three_hosts(), request());

  *clock.step = 30'000;  // the deadline is 20 ms
  for (int i = 0; i < Breaker::kMisses; ++i) EXPECT_TRUE(asked.evaluate(objective)) << i;
  *clock.step = 0;

  EXPECT_EQ(good.plugins->status()[0].state, "quarantined");
  EXPECT_EQ(good.plugins->status()[0].rules[1].counts.misses, 3u);
  const auto refused = asked.evaluate(objective);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "plugin good, good.cost: plugin good: set aside after 3 calls in a row over its deadline of 20 ms");

  clock.now->fetch_add(Breaker::kQuarantineUs);
  EXPECT_TRUE(asked.evaluate(objective)) << "after a while it may try again";
  EXPECT_EQ(good.plugins->status()[0].state, "active");
}

TEST(PluginDeadline, ForgivesAMissNowAndThen) {
  const SteppedClock clock;
  auto settings = asking::settings();
  settings.tick = clock.tick();
  const Loaded good("good", "{}", settings);
  const Asked asked(three_hosts(), request());
  for (int i = 0; i < 12; ++i) {
    *clock.step = i % 3 == 2 ? 0 : 30'000;
    EXPECT_TRUE(asked.evaluate(good.objective("good.cost"))) << i;
  }
}

}  // namespace
}  // namespace emplace
