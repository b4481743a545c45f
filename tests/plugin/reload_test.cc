// Reload: what changed is loaded beside what runs, what did not is shared, and a bad one changes nothing.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/plugin/asking.h"

namespace emplace {
namespace {

namespace fs = std::filesystem;
using asking::Asked;
using asking::host;
using asking::request;

// A plugin directory of the test's own.
class Reload : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "emplace-reload-XXXXXX").string();
    settings_.directory = mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(settings_.directory); }

  // As an operator would: the new file takes the old one's place.
  void put(const std::string& from, const std::string& as) {
    const fs::path built = EMPLACE_TEST_PLUGINS;
    for (const auto& [source, target] : {std::pair("libemplace_" + from + ".so", "libemplace_" + as + ".so"),
                                         std::pair(from + ".json", as + ".json")}) {
      const fs::path aside = settings_.directory / (target + ".new");
      fs::copy_file(built / source, aside);
      fs::rename(aside, settings_.directory / target);
    }
  }
  PluginChoice choice(const std::string& isolation, const std::string& config = "{}") const {
    return {"libemplace_x.so", isolation, 1000, config};
  }
  Plugins load(const std::vector<PluginChoice>& choices) { return Plugins::load(settings_, choices).value(); }

  static std::string costs_of(const Plugins& plugins) {
    const auto rules = plugins.add_to({});
    const Asked asked(testing_rows::picture_of({host("h", 100)}), request());
    const auto costs = asked.evaluate(*rules.objectives.at(0));
    return rules.objectives[0]->traits().id + (costs ? "=" + std::to_string(costs->values[0]) : costs.error().message);
  }

  PluginSettings settings_ = asking::settings();
};

class ReloadIn : public Reload, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Isolation, ReloadIn, ::testing::Values("in-process", "worker"));

TEST_P(ReloadIn, TakesAnotherFileOfTheSamePath) {
  put("good", "x");
  const auto choices = std::vector{choice(GetParam())};
  const Plugins before = load(choices);
  EXPECT_EQ(costs_of(before), "good.cost=-100.000000");

  put("plain", "x");
  const auto after = before.reload(settings_, choices);

  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(costs_of(*after), "plain.cost=0.000000");
  EXPECT_EQ(costs_of(before), "good.cost=-100.000000") << "decisions under way finish on the old one";
}

TEST_P(ReloadIn, SharesWhatDidNotChange) {
  put("good", "x");
  const auto choices = std::vector{choice(GetParam())};
  const Plugins before = load(choices);
  costs_of(before);

  const auto same = before.reload(settings_, choices);
  const auto other = before.reload(settings_, std::vector{choice(GetParam(), R"({"label":"y"})")});

  ASSERT_TRUE(same && other);
  EXPECT_EQ(same->status()[0].rules[1].counts.calls, 1u) << "the very same instance";
  EXPECT_EQ(other->status()[0].rules[1].counts.calls, 0u);
  EXPECT_EQ(costs_of(*other), "good.cost=-100.000000");
}

TEST_P(ReloadIn, IsRefusedForABadOne) {
  put("good", "x");
  const auto choices = std::vector{choice(GetParam())};
  const Plugins before = load(choices);

  put("wrongmajor", "x");
  const auto after = before.reload(settings_, choices);

  ASSERT_FALSE(after);
  EXPECT_NE(after.error().message.find("libemplace_x.so): wanted ABI 1.0 to 1.2, found 99.2"), std::string::npos)
      << after.error().message;
  EXPECT_EQ(costs_of(before), "good.cost=-100.000000");
}

// A worker that is started again gets the code that was loaded, not what lies at its path by then.
TEST_F(Reload, LeavesAWorkerItsCodeUntilItIsAskedFor) {
  put("unruly", "x");
  const Plugins plugins = load({choice("worker")});
  put("good", "x");
  const auto rules = plugins.add_to({});
  const Asked crash(testing_rows::picture_of({host("h", 100)}), request(), 0, "please-crash");
  EXPECT_FALSE(crash.evaluate(*rules.objectives[0]));

  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (plugins.status()[0].state != "active" && std::chrono::steady_clock::now() < until) usleep(1000);

  EXPECT_EQ(costs_of(plugins), "unruly.cost=0.000000");
}

}  // namespace
}  // namespace emplace
