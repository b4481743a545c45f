#include "service/core/answer/explanation.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "service/core/act/scheduler.h"
#include "service/core/decide/rule_book.h"
#include "service/core/request/request_json.h"
#include "tests/unit/cluster_rows.h"

namespace emplace {
namespace {

class SamePictures : public Pictures {
 public:
  std::shared_ptr<const Picture> latest() const override { return testing_rows::empty_picture(1 << 20); }
  bool wait_for(std::int64_t, Deadline) const override { return true; }
  Result<std::shared_ptr<const Picture>> at(const PictureVersion&) const override { return latest(); }
};

class NoClaims : public Claims {
 public:
  Result<ClaimsTaken> take(std::vector<ClaimOrder>, std::function<ClaimRecords(std::span<const Claim>)>,
                           Deadline) override {
    return fail(ErrorCode::kUnavailable, "no claims here");
  }
  Result<std::int64_t> confirm(const Uuid&, VmState, Deadline) override { return fail(ErrorCode::kNotFound, ""); }
  Result<std::int64_t> give_back(const Uuid&, std::string, Deadline) override { return fail(ErrorCode::kNotFound, ""); }
  Result<Claim> claim(const Uuid&, Deadline) override { return fail(ErrorCode::kNotFound, ""); }
};

class NoHypervisors : public Hypervisors {
 public:
  bool drives(const std::string&) const override { return false; }
  void start(StartOrder, Done) override {}
  void destroy(const std::string&, const Uuid&, std::optional<Uuid>, Done) override {}
  void shut_down(const std::string&, const Uuid&, Done) override {}
  void move(MoveOrder, std::function<void(const MoveProgress&)>, Done) override {}
  Result<std::vector<DomainSeen>> domains(const std::string&, Deadline) override { return {}; }
};

HostRow sized(const std::string& name, double vcpus) {
  HostRow row;
  row.name = name;
  row.vcpus = vcpus;
  row.memory_mib = 8192;
  row.disk_gib = 100;
  return row;
}

class ExplanationTest : public ::testing::Test {
 protected:
  // Decides on hosts that were added in the order given.
  Placement placement(const std::string& json, const std::vector<Change>& rows) {
    auto request = parse_placement(json);
    EXPECT_TRUE(request) << request.error().message;
    auto decided = scheduler_.decide_on(std::make_shared<const PlacementRequest>(*request), *book_.find("default"),
                                        testing_rows::picture_of(rows), 1000);
    EXPECT_TRUE(decided) << decided.error().message;
    return *std::move(decided);
  }
  Placement three_hosts(const std::string& explain = "summary") {
    return placement(R"({"vm":{"name":"v","vcpus":4,"memory_mib":1024,"disk_gib":1},"explain":")" + explain + "\"}",
                     {sized("b", 2), sized("c", 8), sized("a", 16)});
  }

  SamePictures pictures_;
  NoClaims claims_;
  NoHypervisors hypervisors_;
  Scheduler scheduler_{pictures_, claims_, hypervisors_, {[] { return 0; }, [] { return 0; }, [] { return Uuid{}; }}};
  RuleBook book_{built_in_rules()};
};

JsonDocument parsed(const std::string& text) {
  auto document = JsonDocument::parse(text);
  EXPECT_TRUE(document) << text;
  return *std::move(document);
}

TEST_F(ExplanationTest, CountsRefusalsInTheSummary) {
  const auto answer = parsed(answer_json(three_hosts()));

  const JsonValue root = answer.root();
  EXPECT_EQ(root.find("ranking")->size(), 2u);
  EXPECT_EQ(root.find("refused")->find("count")->whole(), 1);
  EXPECT_EQ(root.find("refused")->find("by_filter")->find("capacity")->whole(), 1);
  EXPECT_EQ(root.find("candidates")->whole(), 2);
  EXPECT_TRUE(root.find("claim")->is_null());
  EXPECT_TRUE(root.find("decision_id")->is_null());
  EXPECT_FALSE(root.find("hosts"));
}

TEST_F(ExplanationTest, NamesTheFirstRefusalOfEveryHostInFull) {
  const auto answer = parsed(answer_json(three_hosts("full")));

  const JsonValue hosts = *answer.root().find("hosts");
  ASSERT_EQ(hosts.size(), 1u);
  EXPECT_EQ(hosts.item(0).find("name")->text(), "b");
  EXPECT_EQ(hosts.item(0).find("refused_by")->text(), "capacity");
  EXPECT_EQ(hosts.item(0).find("code")->text(), "capacity.vcpus");
  EXPECT_EQ(hosts.item(0).find("wanted")->number(), 4);
  EXPECT_EQ(hosts.item(0).find("found")->number(), 2);
  const JsonValue passed = *answer.root().find("passed");
  ASSERT_EQ(passed.size(), 2u);
  EXPECT_EQ(passed.item(0).find("name")->text(), "a");
  EXPECT_TRUE(passed.item(0).find("costs")->find("resource.load")->find("value")->is_number());
}

TEST_F(ExplanationTest, LeavesRefusalsOutAtLevelNone) {
  EXPECT_FALSE(parsed(answer_json(three_hosts("none"))).root().find("refused"));
}

TEST_F(ExplanationTest, SaysThatThePictureIsStale) {
  const auto answer = parsed(answer_json(three_hosts(), Staleness{true, 2.5}));
  EXPECT_TRUE(answer.root().find("stale")->boolean());
  EXPECT_EQ(answer.root().find("age_s")->number(), 2.5);
}

TEST_F(ExplanationTest, ListsOneEntryPerInstanceOfAMultiCreate) {
  const auto answer = parsed(answer_json(
      placement(R"({"vm":{"name":"v","vcpus":4,"memory_mib":1024},"count":2})", {sized("a", 8), sized("b", 8)})));
  const JsonValue placements = *answer.root().find("placements");
  ASSERT_EQ(placements.size(), 2u);
  EXPECT_EQ(placements.item(1).find("name")->text(), "v-2");
  EXPECT_EQ(placements.item(1).find("ranking")->size(), 2u);
}

TEST_F(ExplanationTest, DoesNotDependOnTheOrderOfRows) {
  std::vector<Change> rows;
  for (int i = 0; i < 30; ++i) rows.emplace_back(sized("h" + std::to_string(i), 2 + i % 5));
  const std::string json = R"({"vm":{"name":"v","vcpus":4,"memory_mib":1024},"explain":"full","alternates":30})";
  const Placement forward = placement(json, rows);
  std::reverse(rows.begin(), rows.end());
  const Placement backward = placement(json, rows);

  EXPECT_EQ(decision_document(forward), decision_document(backward));
  EXPECT_EQ(answer_json(forward), answer_json(backward));
}

TEST_F(ExplanationTest, TellsAChangedCostFromTheDocument) {
  const std::string json = R"({"vm":{"name":"v","vcpus":4,"memory_mib":1024},"alternates":0})";
  const std::string before = decision_document(placement(json, {sized("a", 100), sized("b", 8), sized("c", 9)}));
  // The last of the ranking is in no answer at this level, but its cost is in the sum.
  const std::string after = decision_document(placement(json, {sized("a", 100), sized("b", 8), sized("c", 10)}));

  const auto lines = differences(before, after);
  ASSERT_FALSE(lines.empty());
  EXPECT_TRUE(
      std::any_of(lines.begin(), lines.end(), [](const auto& line) { return line.starts_with("costs_sum: stored "); }));
}

TEST_F(ExplanationTest, KeepsWhatAReplayNeeds) {
  const Placement placed = three_hosts();
  const auto stored = parsed(replay_request(placed));

  EXPECT_EQ(to_json(*stored.root().find("request")), to_json(parsed(placed.request->document).root()));
  EXPECT_EQ(stored.root().find("now_us")->whole(), 1000);
  EXPECT_EQ(stored.root().find("digest")->text(), digest(*placed.rules));
  const auto profile = parse_profile(*stored.root().find("profile"), "profile");
  ASSERT_TRUE(profile);
  EXPECT_EQ(digest(*book_.resolve_once(*profile).value()), digest(*placed.rules));
}

TEST(Differences, AreLinesThatAPersonReads) {
  EXPECT_EQ(differences(R"({"a":1})", R"({"a":1})"), std::vector<std::string>{});
  EXPECT_EQ(differences(R"({"ranking":[{"host":"h7"}],"x":1})", R"({"ranking":[{"host":"h9"},{"host":"h1"}],"y":2})"),
            (std::vector<std::string>{"ranking[0].host: stored h7, now h9", "ranking[1]: stored nothing, now an object",
                                      "x: stored 1, now nothing", "y: stored nothing, now 2"}));
}

TEST(RuleBook, ReplacesAProfileOnlyByOneThatResolves) {
  RuleBook book(built_in_rules());
  const auto before = book.find("default").value();
  Profile bad = before->profile;
  bad.filters.push_back("no.such.filter");

  EXPECT_FALSE(book.put(bad));
  EXPECT_EQ(book.find("default").value(), before);

  Profile good = before->profile;
  good.filters = {"capacity"};
  EXPECT_TRUE(book.put(good));
  EXPECT_EQ(book.find("default").value()->filters.size(), 1u);
  EXPECT_NE(digest(*book.find("default").value()), digest(*before));
}

TEST(RuleBook, ForgetsWhatWasPutButNotWhatIsConfigured) {
  RuleBook book(built_in_rules());
  const auto filters = [&](const char* name) {
    const auto rules = book.find(name);
    return rules ? (*rules)->profile.filters.size() : std::size_t{99};
  };
  const std::size_t built_in = filters("default");
  Profile configured = book.find("default").value()->profile;
  configured.name = "own";
  configured.filters = {"capacity", "state"};
  ASSERT_TRUE(book.replace({configured}, {}));
  for (const char* name : {"own", "default", "fresh"}) {
    Profile changed = configured;
    changed.name = name;
    changed.filters = {"capacity"};
    ASSERT_TRUE(book.put(changed));
    EXPECT_EQ(filters(name), 1u);
    ASSERT_TRUE(book.forget(name));
  }
  EXPECT_EQ(filters("own"), 2u);
  EXPECT_EQ(filters("default"), built_in);
  EXPECT_EQ(filters("fresh"), 99u);
}

TEST(RuleBook, LetsDefaultStandForAnotherProfile) {
  RuleBook book(built_in_rules());
  Profile other;
  other.name = "other", other.filters = {"capacity"}, other.objectives = {{"resource.load"}};

  ASSERT_TRUE(book.replace(built_in_rules(), {other}, {}, {"other", 0.25}));
  EXPECT_EQ(book.find("default").value()->profile.name, "other");
  ASSERT_TRUE(book.replace({other}, {})) << "what it stands for is kept";
  EXPECT_EQ(book.find("default").value()->profile.name, "other");

  const auto none = book.replace(built_in_rules(), {other}, {}, {"nope", 0.25});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "[decision] profile: wanted one of default, other, found \"nope\"");
  EXPECT_EQ(book.find("default").value()->profile.name, "other") << "nothing changed";
  ASSERT_TRUE(book.replace(built_in_rules(), {}, {}, {"default", 1}));
  EXPECT_EQ(book.find("default").value()->profile.front_limit, 1);
}

TEST(RuleBook, NamesTheProfilesThereAre) {
  const auto missing = RuleBook(built_in_rules()).find("golden");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "profile: wanted one of default, found \"golden\"");
}

TEST(ParseProfile, ReadsWhatItWrites) {
  const Profile profile = RuleBook(built_in_rules()).find("default").value()->profile;
  const auto again = parse_profile(profile_json(profile));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(profile_json(*again), profile_json(profile));
}

TEST(ParseProfile, NamesTheKeyThatIsWrong) {
  const auto fault = [](std::string_view json) { return parse_profile(json, "p").error().message; };
  EXPECT_EQ(fault(R"({"filters":[],"method":"dice"})"),
            "method: wanted one of chebyshev, knee, lexicographic, weighted_sum, topsis, nova, found \"dice\"");
  EXPECT_EQ(fault(R"({"name":"q","filters":[]})"), "name: wanted \"p\" as in the path, found \"q\"");
  EXPECT_EQ(fault(R"({"filters":[],"objectives":[{"id":"x","weight":-1}]})").substr(0, 21), "objectives[0].weight:");
}

}  // namespace
}  // namespace emplace
