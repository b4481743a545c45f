#include "service/core/decide/screen.h"

#include "tests/unit/cluster.h"
#include "tests/unit/fake_rules.h"

namespace emplace {
namespace {

using Rows = std::vector<std::uint32_t>;

Rules rules_of(std::vector<std::shared_ptr<const Filter>> filters) {
  Rules rules;
  rules.filters = std::move(filters);
  return rules;
}

TEST(Screen, ConsidersHostsThatLive) {
  Cluster cluster({host("a"), host("b"), host("c"), HostRemoved{"b"}});
  const Screened screened = screen(rules_of({}), cluster.query(vm(1, 1)));
  EXPECT_EQ(screened.kept.to_rows(), (Rows{0, 2}));
  EXPECT_EQ(screened.considered, 2u);
}

TEST(Screen, DropsWhatTheRequestExcludes) {
  Cluster cluster({host("a"), host("b"), host("c")});
  VmRequest request = vm(1, 1);
  request.only_hosts = {"c", "a"};
  request.ignore_hosts = {"a", "gone"};
  const Screened screened = screen(rules_of({}), cluster.query(request));
  EXPECT_EQ(screened.kept.to_rows(), Rows{2});
  EXPECT_EQ(screened.considered, 1u);
}

TEST(Screen, BooksTheFirstRefusalOfEachHost) {
  Cluster cluster({host("a"), host("b"), host("c"), host("d")});
  const auto rules = rules_of({refusing("x", {1}, 7), refusing("y", {1, 2}, 9)});

  const Screened screened = screen(rules, cluster.query(vm(1, 1)));

  EXPECT_EQ(screened.kept.to_rows(), (Rows{0, 3}));
  EXPECT_EQ(screened.refused_by, (std::vector<std::uint8_t>{0, 1, 2, 0}));
  EXPECT_EQ(screened.reasons, (std::vector<std::uint8_t>{0, 7, 9, 0}));
  EXPECT_EQ(screened.counts, (Rows{1, 1}));
}

TEST(Screen, SaysWhichHostsAFilterCouldNotJudge) {
  Cluster cluster({host("a"), host("b"), host("c")});
  const auto half_blind =
      std::make_shared<FakeFilter>("half_blind", [](Candidates& kept, std::span<std::uint8_t> reasons) -> Result<void> {
        kept.erase(0);
        reasons[0] = 1;
        reasons[2] = 7;
        return {};
      });

  const Screened screened = screen(rules_of({half_blind, refusing("y", {1}, 9)}), cluster.query(vm(1, 1)));

  EXPECT_EQ(screened.kept.to_rows(), Rows{2});
  EXPECT_EQ(screened.reasons, (std::vector<std::uint8_t>{1, 9, 0}));
  EXPECT_TRUE(screened.degraded.empty());
  ASSERT_EQ(screened.unjudged.size(), 1u);
  EXPECT_EQ(screened.unjudged[0].filter, "half_blind");
  EXPECT_EQ(screened.unjudged[0].hosts, 1u);
  EXPECT_EQ(screened.unjudged[0].of, 3u);
  EXPECT_EQ(screened.unjudged[0].first.code, "half_blind");
}

TEST(Screen, KeepsNoHostWhenAFilterFails) {
  Cluster cluster({host("a"), host("b")});
  const auto broken =
      std::make_shared<FakeFilter>("broken", [](Candidates&, std::span<std::uint8_t> reasons) -> Result<void> {
        reasons[0] = 5;
        return fail(ErrorCode::kTimeout, "no answer in 20 ms");
      });

  const Screened screened = screen(rules_of({broken}), cluster.query(vm(1, 1)));

  EXPECT_EQ(screened.kept.count(), 0u);
  ASSERT_EQ(screened.degraded.size(), 1u);
  EXPECT_EQ(screened.degraded[0].plugin, "broken");
  EXPECT_EQ(screened.degraded[0].why, "no answer in 20 ms");
  EXPECT_EQ(screened.counts, Rows{2});
  EXPECT_EQ(screened.reasons, (std::vector<std::uint8_t>{0, 0}));
}

TEST(Screen, LetsNoFilterBringAHostBack) {
  Cluster cluster({host("a"), host("b")});
  const auto generous =
      std::make_shared<FakeFilter>("generous", [](Candidates& kept, std::span<std::uint8_t>) -> Result<void> {
        kept.insert(0);
        return {};
      });
  const Screened screened = screen(rules_of({refusing("x", {0}, 1), generous}), cluster.query(vm(1, 1)));
  EXPECT_EQ(screened.kept.to_rows(), Rows{1});
}

TEST(Screen, AsksNobodyOnceNoHostIsLeft) {
  Cluster cluster({host("a")});
  bool asked = false;
  const auto last = std::make_shared<FakeFilter>("last", [&](Candidates&, std::span<std::uint8_t>) -> Result<void> {
    asked = true;
    return {};
  });
  const Screened screened = screen(rules_of({refusing("x", {0}, 1), last}), cluster.query(vm(1, 1)));
  EXPECT_FALSE(asked);
  EXPECT_EQ(screened.counts, (Rows{1, 0}));
}

TEST(Screen, OfAnEmptyClusterIsEmpty) {
  Cluster cluster;
  EXPECT_EQ(screen(rules_of(built_in_rules().filters), cluster.query(vm(1, 1))).considered, 0u);
}

}  // namespace
}  // namespace emplace
