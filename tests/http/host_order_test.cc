#include "service/rest/host_order.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "tests/unit/cluster.h"
#include "tests/unit/fake_rules.h"

namespace emplace::http {
namespace {

using Names = std::vector<std::string>;

std::shared_ptr<const Filter> failing_filter(std::string id) {
  return std::make_shared<FakeFilter>(std::move(id), [](Candidates&, std::span<std::uint8_t>) -> Result<void> {
    return fail(ErrorCode::kTimeout, "no answer");
  });
}

HostQuestion question(const Names& names, std::map<std::string, double, std::less<>> weights = {}) {
  HostQuestion asked;
  asked.request.vm = vm(1, 1);
  for (const std::string& name : names) asked.hosts.push_back({name, ""});
  asked.weights = std::move(weights);
  return asked;
}

HostOrder order(const Rules& rules, const HostQuestion& asked, const Cluster& cluster) {
  return *order_hosts(rules, asked, cluster.picture(), 0);
}

TEST(HostOrder, DecidesWithoutTheFiltersThatFail) {
  const Cluster cluster({host("a"), host("b"), host("c")});
  Rules rules = rules_with({costing("cost", {3, 1})});
  rules.filters = {failing_filter("one"), refusing("sound", {1}, 1), failing_filter("two")};

  const HostOrder made = order(rules, question({"a", "b", "c"}), cluster);

  EXPECT_EQ(made.hosts, (Names{"c", "a"}));
  ASSERT_EQ(made.degraded.size(), 2u);
  EXPECT_EQ(made.degraded[0].plugin, "one");
  EXPECT_EQ(made.degraded[1].plugin, "two");
}

TEST(HostOrder, DecidesWithoutAnObjectiveThatMustNotFail) {
  const Cluster cluster({host("a"), host("b")});
  Rules rules = rules_with({failing_objective("vital")});
  rules.profile.objectives.front().on_error = OnError::kFail;

  const HostOrder made = order(rules, question({"a", "b"}, {{"b", 1.0}}), cluster);

  EXPECT_EQ(made.hosts, (Names{"b", "a"}));
  EXPECT_EQ(made.degraded.front().plugin, "vital");
}

TEST(HostOrder, IsEmptyWhenAllAreRefused) {
  const Cluster cluster({host("a"), host("b")});
  Rules rules;
  rules.filters = {refusing("no", {0, 1}, 1)};

  EXPECT_TRUE(order(rules, question({"b", "a"}), cluster).hosts.empty());
  EXPECT_EQ(order(rules, question({"b", "x", "a"}), cluster).hosts, Names{"x"});
}

TEST(HostOrder, LetsHostsOfEqualCostTradePlacesOnly) {
  const Cluster cluster({host("a"), host("b"), host("c"), host("d"), host("e")});
  const Rules rules = rules_with({costing("cost", {100, 200, 100, 0, 200})});

  EXPECT_EQ(order(rules, question({"e", "d", "c", "b", "a"}), cluster).hosts, (Names{"d", "c", "a", "e", "b"}));
  EXPECT_EQ(order(rules, question({"e", "d", "c", "b", "a"}, {{"b", 7.0}, {"a", -1.0}}), cluster).hosts,
            (Names{"d", "a", "c", "b", "e"}));
}

TEST(HostOrder, TakesAHostWithoutDataForOtherThanOneWithAnyCost) {
  const Cluster cluster({host("a"), host("b"), host("c")});
  const Rules rules = rules_with({costing("cost", {5, 5, 5}, {Quality::kNoData, Quality::kOk, Quality::kNoData})});

  EXPECT_EQ(order(rules, question({"a", "c", "b"}, {{"c", 1.0}}), cluster).hosts, (Names{"b", "c", "a"}));
}

TEST(HostOrder, NamesWhatThePictureCallsTheFirst) {
  const Cluster cluster({host("a/n1"), host("b")});
  HostQuestion asked = question({"a", "b"});
  asked.hosts.front().node = "n1";

  const HostOrder made = order(rules_with({costing("cost", {0, 100})}), asked, cluster);

  EXPECT_EQ(made.hosts, (Names{"a", "b"}));
  EXPECT_EQ(made.first, "a/n1");
  EXPECT_EQ(order({}, question({"x"}), cluster).first, "");
}

// Whatever is asked, by its definition: each name once, none that was not asked for, those that no filter refuses.
TEST(HostOrder, HasEveryHostThatIsNotRefused) {
  const Cluster cluster({host("a"), host("b"), host("c"), host("d")});
  EXPECT_TRUE(rc::check([&] {
    const auto names = *rc::gen::container<Names>(rc::gen::element<std::string>("a", "b", "c", "d", "x", "y"));
    std::vector<std::uint32_t> refused;
    for (std::uint32_t row = 0; row < 4; ++row) {
      if (*rc::gen::arbitrary<bool>()) refused.push_back(row);
    }
    std::map<std::string, double, std::less<>> weights;
    for (const std::string& name : names) weights[name] = *rc::gen::inRange(-3, 3);
    Rules rules;
    rules.filters = {refusing("some", refused, 1)};
    if (*rc::gen::arbitrary<bool>()) rules.filters.push_back(failing_filter("broken"));

    Names made = order(rules, question(names, weights), cluster).hosts;

    Names wanted = names;
    std::erase_if(wanted, [&](const std::string& name) {
      return std::ranges::find(refused, cluster.row(name)) != refused.end();
    });
    std::ranges::sort(wanted);
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    std::ranges::sort(made);
    RC_ASSERT(made == wanted);
  }));
}

}  // namespace
}  // namespace emplace::http
