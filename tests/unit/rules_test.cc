#include "service/core/decide/rules.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/fake_rules.h"

namespace emplace {
namespace {

std::string message_of(const Profile& profile, const Catalogue& catalogue = built_in_rules()) {
  const auto rules = resolve(profile, catalogue);
  if (rules) return "";
  EXPECT_EQ(rules.error().code, ErrorCode::kInvalid);
  return rules.error().message;
}

Profile profile_named(std::string name) {
  Profile profile;
  profile.name = std::move(name);
  return profile;
}

TEST(DefaultProfile, NamesWhatTheCatalogueHas) {
  Catalogue catalogue = built_in_rules();
  EXPECT_EQ(default_profile(catalogue).objectives.size(), 3u);
  catalogue.objectives.push_back(costing("affinity.network", {}));

  const Profile profile = resolve(default_profile(catalogue), catalogue)->profile;

  ASSERT_EQ(profile.objectives.size(), 4u);
  EXPECT_EQ(profile.objectives[2].id, "affinity.network");
  EXPECT_EQ(profile.objectives[2].weight, 3);
  EXPECT_EQ(profile.objectives[2].resolution, 2);
  EXPECT_EQ(profile.filters.size(), 6u);
  EXPECT_EQ(message_of(profile, catalogue), "");
}

TEST(Resolve, PutsCheapFiltersFirst) {
  const auto nothing = [](Candidates&, std::span<std::uint8_t>) -> Result<void> { return {}; };
  Catalogue catalogue;
  for (const auto& [id, cost] : {std::pair("slow", CostClass::kExpensive),
                                 {"mid", CostClass::kMedium},
                                 {"quick", CostClass::kCheap},
                                 {"quicker", CostClass::kCheap}}) {
    catalogue.filters.push_back(std::make_shared<FakeFilter>(id, nothing, cost));
  }
  Profile profile = profile_named("p");
  profile.filters = {"slow", "quicker", "mid", "quick"};

  const Rules rules = resolve(profile, catalogue).value();

  std::vector<std::string> order;
  for (const auto& filter : rules.filters) order.push_back(filter->traits().id);
  EXPECT_EQ(order, (std::vector<std::string>{"quicker", "quick", "mid", "slow"}));
}

TEST(Resolve, FillsInTheObjectivesOwnWeightAndResolution) {
  Catalogue catalogue;
  catalogue.objectives = {costing("x", {}), costing("y", {})};
  Profile profile = profile_named("p");
  profile.objectives = {{"x"}, {"y", 1, 0.5}};
  const Rules rules = resolve(profile, catalogue).value();
  EXPECT_EQ(rules.profile.objectives[0].resolution, 2);
  EXPECT_EQ(rules.profile.objectives[0].weight, 3);
  EXPECT_EQ(rules.profile.objectives[1].resolution, 0.5);
  EXPECT_EQ(rules.profile.objectives[1].weight, 1);
}

TEST(Resolve, NamesTheKeyOfAnUnknownRule) {
  Profile profile = profile_named("p");
  profile.filters = {"capacity", "capasity"};
  EXPECT_EQ(
      message_of(profile),
      "profile \"p\": filters[1]: wanted one of capacity, state, zone, traits, group, spread, found \"capasity\"");
  profile.filters.clear();
  profile.objectives = {{"affinity.memory"}};
  EXPECT_EQ(message_of(profile),
            "profile \"p\": objectives[0].id: wanted one of resource.load, resource.stranding, group.fit, "
            "found \"affinity.memory\"");
}

TEST(Resolve, RefusesARuleNamedTwice) {
  Profile profile = profile_named("p");
  profile.filters = {"zone", "zone"};
  EXPECT_EQ(message_of(profile), "profile \"p\": filters[1]: wanted each rule once, found \"zone\" again");
}

TEST(Resolve, RefusesMoreThanSixObjectives) {
  Profile profile = profile_named("p");
  profile.objectives.resize(7);
  EXPECT_EQ(message_of(profile), "profile \"p\": objectives: wanted at most 6, found 7");
}

TEST(Resolve, RefusesNumbersOutOfRange) {
  Profile profile = profile_named("p");
  for (const double bad : std::initializer_list<double>{-1, 1e10, INFINITY, std::nan("")}) {
    profile.objectives = {{"resource.load", bad}};
    EXPECT_NE(message_of(profile).find("objectives[0].weight"), std::string::npos);
    profile.objectives = {{"resource.load", 1, bad * 1e10}};
    EXPECT_NE(message_of(profile).find("objectives[0].resolution"), std::string::npos);
  }
  profile.objectives.clear();
  profile.front_limit = 1.5;
  EXPECT_NE(message_of(profile).find("front_limit"), std::string::npos);
}

TEST(Resolve, RefusesWhatTheMethodWouldNotRead) {
  Profile profile = profile_named("p");
  profile.method = RankMethod::kNova;
  profile.objectives = {{"resource.load"}};
  EXPECT_NE(message_of(profile).find("objectives"), std::string::npos);
  profile = profile_named("p");
  profile.weighers = {{"RAMWeigher"}};
  EXPECT_NE(message_of(profile).find("weighers"), std::string::npos);
}

TEST(RankMethod, HasANameThatReadsBack) {
  for (int i = 0; i <= static_cast<int>(RankMethod::kNova); ++i) {
    const auto method = static_cast<RankMethod>(i);
    EXPECT_EQ(parse_rank_method(to_string(method)), method);
  }
  EXPECT_EQ(parse_rank_method("Chebyshev"), std::nullopt);
}

TEST(Candidates, HoldsASetOfRows) {
  Candidates candidates(200);
  for (const std::uint32_t row : {0u, 63u, 64u, 199u}) candidates.insert(row);
  candidates.erase(63);
  EXPECT_TRUE(candidates.has(64));
  EXPECT_FALSE(candidates.has(63));
  EXPECT_EQ(candidates.count(), 3u);
  EXPECT_EQ(candidates.to_rows(), (std::vector<std::uint32_t>{0, 64, 199}));
}

}  // namespace
}  // namespace emplace
