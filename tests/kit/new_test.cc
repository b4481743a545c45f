// `emplace plugin new`: what it writes and what it refuses. That what it writes compiles and keeps the contract is seen
// with the specimen, and from the install tree by tests/scenario/stranger.py.
#include "tests/kit/running.h"

namespace emplace {
namespace {

using kit::run;
using kit::Scratch;

const std::string kNew = EMPLACE_PROGRAM " plugin new ";

TEST(PluginNew, WritesAllFilesWithTheName) {
  const Scratch scratch;
  const auto directory = scratch / "made";

  const auto ran = run(kNew + "heat_2 --directory " + directory.string());

  EXPECT_EQ(ran.code, 0) << ran.output;
  for (const char* file : {"heat_2.cc", "heat_2.h", "heat_2.json", "heat_2_test.cc", "CMakeLists.txt", "README.md"}) {
    const std::string text = kit::read(directory / file);
    EXPECT_NE(text.find("heat_2"), std::string::npos) << file;
    EXPECT_EQ(text.find("plugin_name"), std::string::npos) << file;
  }
}

TEST(PluginNew, MakesADirectoryOfTheNameWhereItIs) {
  const Scratch scratch;

  const auto ran = run("cd " + (scratch / "").string() + " && " + kNew + "heat");

  EXPECT_EQ(ran.code, 0) << ran.output;
  EXPECT_TRUE(std::filesystem::exists(scratch / "heat" / "heat.json"));
}

TEST(PluginNew, RefusesNamesThatFilesAndTargetsCannotHave) {
  const Scratch scratch;
  for (const char* name : {"''", "Heat", "2heat", "heat-map", "../heat", "h\\ x", "plugin_name",
                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    const auto ran = run(kNew + name + " --directory " + (scratch / "made").string());
    EXPECT_EQ(ran.code, 2) << name;
    EXPECT_EQ(ran.output.find("emplace: NAME: wanted"), 0u) << ran.output;
    EXPECT_FALSE(std::filesystem::exists(scratch / "made"));
  }
}

TEST(PluginNew, RefusesADirectoryThatExists) {
  const Scratch scratch;
  std::filesystem::create_directory(scratch / "made");

  const auto ran = run(kNew + "heat --directory " + (scratch / "made").string());

  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.output.find("wanted a new directory"), std::string::npos) << ran.output;
}

TEST(PluginNew, SaysWhyItCannotWrite) {
  const auto ran = run(kNew + "heat --directory /proc/heat");

  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.output.find("can't make /proc/heat"), std::string::npos) << ran.output;
}

}  // namespace
}  // namespace emplace
