// `emplace plugin check` finds each way of breaking the contract by the right name, and nothing in plugins that keep
// it.
#include "service/core/json/json.h"
#include "tests/kit/running.h"

namespace emplace {
namespace {

using kit::Ran;
using kit::run;
using kit::Scratch;

struct Checked {
  Ran ran;
  std::vector<std::string> failed;  // names of tests
  std::string faults;
};

// A test must not depend on how busy the machine is.
constexpr const char* kPatient = "--seed 1 --budget-us 1000000";

Checked check(const std::string& plugin, const std::string& options = kPatient) {
  const Scratch scratch;
  const std::string json = (scratch / "report.json").string();
  Checked checked;
  checked.ran = run(EMPLACE_PROGRAM " plugin check " + plugin + " --json " + json + " " + options);
  const auto report = JsonDocument::parse(kit::read(json), "report");
  if (!report) return checked;
  const JsonValue tests = *report->root().find("tests");
  for (std::size_t i = 0; i < tests.size(); ++i) {
    const JsonValue test = tests.item(i);
    if (test.find("outcome")->text() != "failed") continue;
    checked.failed.emplace_back(test.find("name")->text());
    for (std::size_t f = 0; f < test.find("faults")->size(); ++f) checked.faults += test.find("faults")->item(f).text();
  }
  return checked;
}

struct Bad {
  const char* plugin;
  const char* failed;  // the one test
  const char* because;
};

// What ctest shows of it.
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.because; }

class BadPlugin : public testing::TestWithParam<Bad> {};

TEST_P(BadPlugin, FailsThatTestAlone) {
  const bool slow = GetParam().failed == std::string("speed");
  const Checked checked = check(std::string(EMPLACE_KIT_PLUGINS "/libemplace_kit_") + GetParam().plugin + ".so",
                                slow ? "--seed 1" : kPatient);

  EXPECT_EQ(checked.failed, std::vector<std::string>{GetParam().failed}) << checked.ran.output;
  EXPECT_NE(checked.faults.find(GetParam().because), std::string::npos) << checked.faults;
  EXPECT_EQ(checked.ran.code, 1);
}

INSTANTIATE_TEST_SUITE_P(
    Check, BadPlugin,
    testing::Values(
        Bad{"unknown_key", "manifest", "colour"}, Bad{"stray_symbol", "symbols", "emplace_bad_helper"},
        Bad{"missing_symbol", "symbols", "emplace_bad_nowhere"},
        Bad{"another_version", "load", "found kit_another_version 2.0.0"},
        Bad{"undeclared_column", "truth", "no column hosts.power_watts"},
        Bad{"borrowed_column", "truth", "no column hosts.vm_count"}, Bad{"crashing", "truth", "crashed with signal 11"},
        Bad{"exiting", "truth", "ended the process with code 0"},
        Bad{"throwing", "truth", "threw an exception across the C ABI"}, Bad{"nan", "results", "wanted a finite cost"},
        Bad{"wrong_length", "results", "wanted results for"}, Bad{"overrun", "results", "past the end"},
        Bad{"leaking", "lifecycle", "bytes of heap"}, Bad{"random", "repeat", "when asked again"},
        Bad{"per_process", "repeat", "second process"}, Bad{"row_dependent", "order", "in another row"},
        Bad{"count_dependent", "subset", "candidate"}, Bad{"other_hosts", "removal", "once an unrelated host was gone"},
        Bad{"remembering", "state", "after other requests"}, Bad{"pair", "sizes", "with 2 hosts"},
        Bad{"undefined", "invalid_values", "hosts.memory_free_mib"}, Bad{"overflow", "extreme_values", "found inf"},
        Bad{"configuration", "configurations", "divisor"}, Bad{"hanging", "deadline", "did not return within"},
        Bad{"hurried", "deadline", "differently in a hurry"}, Bad{"slow", "speed", "with 20000 hosts"},
        Bad{"forgetful", "observer", "when changes were followed"}, Bad{"other_code", "explain", "No Room"},
        Bad{"not_reentrant", "threads", "answers differ"},
        Bad{"threaded", "symbols", "made a system call that plugins may not make: clone3 in: loading"},
        Bad{"talking", "load", "made a system call that plugins may not make: socket in: create"},
        Bad{"reading", "truth", "made a system call that plugins may not make: openat in: kit_reading.cost"},
        Bad{"spinning", "load", "did not return within 10 s in: destroy"}),
    [](const auto& tested) { return std::string(tested.param.plugin); });

class GoodPlugin : public testing::TestWithParam<const char*> {};

TEST_P(GoodPlugin, PassesAll) {
  const Checked checked = check(GetParam());

  EXPECT_EQ(checked.failed, std::vector<std::string>{}) << checked.ran.output;
  EXPECT_EQ(checked.ran.code, 0);
}

INSTANTIATE_TEST_SUITE_P(Check, GoodPlugin,
                         testing::Values(EMPLACE_KIT_PLUGINS "/kit_good.json", EMPLACE_KIT_PLUGINS "/specimen.json",
                                         EMPLACE_KIT_PLUGINS "/temperature.json",
                                         EMPLACE_BUILT_PLUGINS "/affinity.json", EMPLACE_BUILT_PLUGINS "/nova.json"),
                         [](const auto& tested) { return std::filesystem::path(tested.param).stem().string(); });

TEST(Check, DoesNotPassWhatItNeverGotTo) {
  const Checked checked = check(EMPLACE_KIT_PLUGINS "/kit_mute.json");

  EXPECT_EQ(checked.failed, std::vector<std::string>{}) << checked.ran.output;
  for (const char* test : {"results", "explain"}) {
    EXPECT_NE(checked.ran.output.find(std::string("not exercised ") + test), std::string::npos) << checked.ran.output;
  }
  EXPECT_NE(checked.ran.output.find("not exercised: kit_mute.room: 0 refusals explained"), std::string::npos);
  EXPECT_NE(checked.ran.output.find("2 not exercised"), std::string::npos);
}

TEST(Check, RefusesAManifestByItsSize) {
  const Scratch scratch;
  std::filesystem::copy_file(EMPLACE_KIT_PLUGINS "/kit_good.json", scratch / "kit_good.json");
  std::filesystem::copy_file(EMPLACE_KIT_PLUGINS "/libemplace_kit_good.so", scratch / "libemplace_kit_good.so");
  std::filesystem::resize_file(scratch / "kit_good.json", 200 << 20);

  const Checked checked = check((scratch / "kit_good.json").string());

  EXPECT_EQ(checked.failed, std::vector<std::string>{"manifest"}) << checked.ran.output;
  EXPECT_NE(checked.faults.find("of at most 1048576 bytes, found 209715200"), std::string::npos) << checked.faults;
}

const std::string kGood = EMPLACE_KIT_PLUGINS "/libemplace_kit_good.so";

TEST(Check, TakesTheManifestAsWell) {
  const Checked checked = check(EMPLACE_KIT_PLUGINS "/kit_good.json", "--only truth");

  EXPECT_EQ(checked.ran.code, 0) << checked.ran.output;
}

TEST(Check, RepeatsARunFromItsSeed) {
  const std::string command =
      EMPLACE_PROGRAM " plugin check " EMPLACE_KIT_PLUGINS "/libemplace_kit_row_dependent.so --only order --seed 77";

  EXPECT_EQ(run(command).output, run(command).output);
}

TEST(Check, SaysHowToRepeatAFailure) {
  const Ran ran = run(EMPLACE_PROGRAM " plugin check " EMPLACE_KIT_PLUGINS
                                      "/libemplace_kit_nan.so --only results --seed 5 --config '{\"divisor\": 2}'");
  const std::size_t at = ran.output.find("again: emplace ");
  ASSERT_NE(at, std::string::npos) << ran.output;

  const Ran again = run(std::string(EMPLACE_PROGRAM) + ran.output.substr(at + 14, ran.output.size() - at - 15));

  EXPECT_EQ(again.output, ran.output);
  EXPECT_NE(again.output.find("--config '{\"divisor\": 2}' --seed 5 --budget-us 20000"), std::string::npos)
      << again.output;
}

TEST(Check, RefusesALibraryThatWasCutOff) {
  const Scratch scratch;
  std::filesystem::copy_file(EMPLACE_KIT_PLUGINS "/kit_good.json", scratch / "kit_good.json");
  const std::string whole = kit::read(kGood);
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{10}, std::size_t{64}, whole.size() / 2, whole.size() - 1}) {
    std::ofstream(scratch / "libemplace_kit_good.so", std::ios::binary) << whole.substr(0, bytes);
    const Checked checked = check((scratch / "kit_good.json").string());
    ASSERT_EQ(checked.failed.size(), 1u) << bytes << '\n' << checked.ran.output;
    EXPECT_TRUE(checked.failed[0] == "symbols" || checked.failed[0] == "load") << checked.ran.output;
  }
}

TEST(Check, WritesJUnit) {
  const Scratch scratch;
  const std::string file = (scratch / "report.xml").string();

  run(EMPLACE_PROGRAM " plugin check " EMPLACE_KIT_PLUGINS "/libemplace_kit_nan.so --only results --junit " + file);

  const std::string xml = kit::read(file);
  EXPECT_NE(xml.find("tests=\"1\" failures=\"1\" skipped=\"0\""), std::string::npos) << xml;
  EXPECT_NE(xml.find("<failure message=\"kit_nan.cost: wanted a finite cost"), std::string::npos) << xml;
}

TEST(Check, GivesTheConfigurationToThePlugin) {
  const Checked checked =
      check(EMPLACE_KIT_PLUGINS "/libemplace_kit_configuration.so", R"(--only results --config '{"divisor":0}')");

  EXPECT_EQ(checked.failed, std::vector<std::string>{"results"}) << checked.ran.output;
}

TEST(Columns, ListsWhatAManifestMayName) {
  const Ran ran = run(EMPLACE_PROGRAM " plugin columns");

  EXPECT_EQ(ran.code, 0);
  EXPECT_NE(ran.output.find("\nhosts.power_watts                  f64          W      observed\n"), std::string::npos)
      << ran.output;
}

TEST(Check, EndsWith2ForUsage) {
  EXPECT_EQ(run(EMPLACE_PROGRAM " plugin check").code, 2);
  EXPECT_EQ(run(EMPLACE_PROGRAM " plugin check /nowhere/libemplace_x.so").code, 2);
  EXPECT_EQ(run(EMPLACE_PROGRAM " plugin check " + kGood + " --only nothing").code, 2);
  EXPECT_EQ(run(EMPLACE_PROGRAM " plugin check " + kGood + " --seed x").code, 2);
  EXPECT_EQ(run(EMPLACE_PROGRAM " plugin check " + kGood + " --only load --json /nowhere/report.json").code, 2);
}

}  // namespace
}  // namespace emplace
