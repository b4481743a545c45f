#include "service/core/decide/last_good.h"

#include "service/core/decide/evaluate.h"
#include "tests/unit/cluster.h"
#include "tests/unit/fake_rules.h"

namespace emplace {
namespace {

constexpr std::int64_t kSecondUs = 1'000'000;

// Costs 10 and 20, until it is broken.
class LastGoodTest : public ::testing::Test {
 protected:
  Result<Costs> ask(const std::string& document, std::int64_t now_s, std::vector<std::uint32_t> hosts = {0, 1}) {
    request_.document = document;
    const auto query = bind(request_, request_.vm, *picture_, now_s * kSecondUs);
    return objective_->evaluate(*query, hosts);
  }
  static std::string why(const Result<Costs>& costs) { return costs ? costs->stale_because : costs.error().message; }

  void replace_host_a() {
    PictureBuilder builder(picture_);
    apply(builder, HostRemoved{"a"});
    apply(builder, host("c"));
    picture_ = builder.finish({"test", 2, 0}, 0);
  }
  static std::shared_ptr<const Picture> two_hosts() {
    PictureBuilder builder(std::make_shared<Picture>(*Arena::create(std::uint64_t{1} << 30)));
    apply(builder, host("a"));
    apply(builder, host("b"));
    return builder.finish({"test", 1, 0}, 0);
  }

  bool broken_ = false;
  PlacementRequest request_;
  std::shared_ptr<const Picture> picture_ = two_hosts();
  std::shared_ptr<const Objective> objective_ =
      with_last_good(std::make_shared<FakeObjective>("x",
                                                     [this](std::span<const std::uint32_t> hosts) -> Result<Costs> {
                                                       if (broken_) return fail(ErrorCode::kTimeout, "no answer");
                                                       Costs costs{{}, std::vector<Quality>(hosts.size())};
                                                       for (const auto row : hosts)
                                                         costs.values.push_back(10 + 10 * row);
                                                       return costs;
                                                     }),
                     60);
};

TEST_F(LastGoodTest, StandsInForAnObjectiveThatCannotAnswer) {
  ASSERT_TRUE(ask("one", 100));
  broken_ = true;

  const auto costs = ask("one", 112);

  ASSERT_TRUE(costs);
  EXPECT_EQ(costs->values, (std::vector<double>{10, 20}));
  EXPECT_EQ(costs->quality, (std::vector<Quality>{Quality::kStale, Quality::kStale}));
  EXPECT_EQ(costs->stale_because, "no answer; its last good costs, 12.0 s old, used on 2 of 2 hosts");
}

TEST_F(LastGoodTest, KnowsOneRequestFromAnother) {
  ASSERT_TRUE(ask("one", 100));
  broken_ = true;
  EXPECT_EQ(why(ask("two", 100)), "no answer; there are no last good costs for this request");
}

TEST_F(LastGoodTest, ForgetsWhatIsTooOldOrFromTheFuture) {
  ASSERT_TRUE(ask("one", 100));
  broken_ = true;
  EXPECT_TRUE(ask("one", 160));
  EXPECT_EQ(why(ask("one", 161)), "no answer; the last good costs for this request are 61.0 s old, wanted at most 60");
  EXPECT_FALSE(ask("one", 99));
}

TEST_F(LastGoodTest, TakesNoHostForAnother) {
  ASSERT_TRUE(ask("one", 100));
  broken_ = true;
  replace_host_a();
  ASSERT_EQ(picture_->find_host("c"), 0u) << "the row is used again";

  const auto costs = ask("one", 101);

  ASSERT_TRUE(costs);
  EXPECT_EQ(costs->quality, (std::vector<Quality>{Quality::kNoData, Quality::kStale}));
  EXPECT_EQ(costs->values[1], 20);
}

TEST_F(LastGoodTest, KeepsABoundedNumberOfQuestions) {
  for (std::size_t i = 0; i <= kLastGoodQuestions; ++i) ASSERT_TRUE(ask(std::to_string(i), 100));
  broken_ = true;
  EXPECT_FALSE(ask("0", 100));
  EXPECT_TRUE(ask("1", 100));
}

TEST(LastGood, IsWhatAProfileAsksFor) {
  Catalogue catalogue = built_in_rules();
  bool broken = false;
  catalogue.objectives.push_back(
      std::make_shared<FakeObjective>("x", [&](std::span<const std::uint32_t> hosts) -> Result<Costs> {
        if (broken) return fail(ErrorCode::kTimeout, "no answer");
        return Costs{std::vector<double>(hosts.size(), 7), std::vector<Quality>(hosts.size())};
      }));
  Profile profile;
  profile.objectives.push_back({.id = "x", .on_error = OnError::kLastGood});
  const Rules rules = resolve(profile, catalogue).value();
  Cluster cluster({host("a")});
  const Query query = cluster.query(vm(1, 1));
  Candidates kept(1);
  kept.insert(0);
  evaluate(rules, query, kept);
  broken = true;

  const CostTable costs = evaluate(rules, query, kept);

  ASSERT_EQ(costs.columns.size(), 1u);
  EXPECT_EQ(costs.columns[0].values[0], 7);
  ASSERT_EQ(costs.degraded.size(), 1u);
  EXPECT_EQ(costs.degraded[0].why, "no answer; its last good costs, 0.0 s old, used on 1 of 1 hosts");
}

}  // namespace
}  // namespace emplace
