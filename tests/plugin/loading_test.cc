// Loading: what is wrong with a plugin is one clear line that names it, and this process lives on.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/plugin/asking.h"

namespace emplace {
namespace {

namespace fs = std::filesystem;

std::string refusal(const std::string& name, const std::string& config = "{}") {
  const auto loaded = asking::load(name, config);
  return loaded ? "loaded" : loaded.error().message;
}

void expect_refused(const std::string& name, const std::string& why) {
  const std::string said = refusal(name);
  EXPECT_EQ(said.find("plugin " + name + " ("), 0u) << said;
  EXPECT_NE(said.find("libemplace_" + name + ".so): "), std::string::npos) << said;
  EXPECT_NE(said.find(why), std::string::npos) << said;
  EXPECT_EQ(said.find('\n'), std::string::npos) << said;
}

TEST(Loading, TakesAGoodPlugin) { EXPECT_EQ(refusal("good"), "loaded"); }
TEST(Loading, TakesAPluginInC) { EXPECT_EQ(refusal("plain"), "loaded"); }

TEST(Loading, RefusesAnotherAbi) {
  expect_refused("wrongmajor", "wanted ABI 1.0 to 1.2, found 99.2");
  expect_refused("newerminor", "wanted ABI 1.0 to 1.2, found 1.99");
  expect_refused("shortentry", "wanted at least 56 bytes, found 16");
}

TEST(Loading, RefusesWhatIsNoPlugin) {
  expect_refused("no_symbol", "wanted the symbol emplace_plugin_entry, found none");
  expect_refused("otherversion", "wanted otherversion 1.0.0 as its manifest says, found otherversion 2.0.0");
  expect_refused("missingrule", "wanted emplace.objective/1 \"missingrule.cost\" as its manifest says, found none");
}

TEST(Loading, SurvivesAPluginThatEndsItsProcess) {
  expect_refused("throwinginitialiser", "while it was loaded, its worker died of signal 6 (Aborted)");
  expect_refused("crashingcreate", "while it was loaded, its worker died of signal 6 (Aborted)");
  expect_refused("exitingcreate", "while it was loaded, its worker ended with code 0");
  expect_refused("failingcreate", "create failed: the moon is in the wrong place");
}

TEST(Loading, GivesUpOnAPluginThatHangs) {
  auto settings = asking::settings();
  settings.worker.start_timeout_ms = 300;

  const auto loaded = asking::load("hangingcreate", "{}", settings);

  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().message.find("plugin hangingcreate ("), std::string::npos);
  EXPECT_NE(loaded.error().message.find("was not loaded within 300 ms"), std::string::npos) << loaded.error().message;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (fs::temp_directory_path() / "emplace-plugins-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

TEST(Loading, RefusesAFileThatIsCutOff) {
  const TemporaryDirectory directory;
  const fs::path from = fs::path(EMPLACE_TEST_PLUGINS);
  fs::copy(from / "good.json", directory.path());
  const fs::path cut = directory.path() / "libemplace_good.so";
  fs::copy(from / "libemplace_good.so", cut);
  for (const double part : {0.999, 0.9, 0.5, 0.1, 0.001, 0.0}) {
    fs::resize_file(
        cut, static_cast<std::uintmax_t>(static_cast<double>(fs::file_size(from / "libemplace_good.so")) * part));

    auto settings = asking::settings();
    settings.directory = directory.path();
    const auto loaded = asking::load("good", "{}", settings);

    ASSERT_FALSE(loaded) << part;
    EXPECT_EQ(loaded.error().message.find("plugin good ("), 0u) << loaded.error().message;
    fs::copy_file(from / "libemplace_good.so", cut, fs::copy_options::overwrite_existing);
  }
}

TEST(Loading, RefusesAFileThatIsNotThere) {
  EXPECT_NE(refusal("nothing").find("wanted a shared object, found no file"), std::string::npos);
  const std::vector<PluginChoice> outside{{"../libemplace_good.so"}};
  EXPECT_NE(Plugins::load(asking::settings(), outside).error().message.find("path: wanted a file name in"),
            std::string::npos);
}

TEST(Loading, RefusesABadConfigurationBeforeAnyCodeRuns) {
  EXPECT_NE(refusal("crashingcreate", R"({"label":"z"})").find("config: label: wanted enum [\"x\",\"y\"], found \"z\""),
            std::string::npos);
}

TEST(Loading, RefusesWhatItCannotDo) {
  const std::vector<PluginChoice> elsewhere{{"libemplace_good.so", "container"}};
  EXPECT_NE(Plugins::load(asking::settings(), elsewhere)
                .error()
                .message.find("isolation: wanted \"worker\" or \"in-process\", found \"container\""),
            std::string::npos);
  const std::vector<PluginChoice> hasty{{"libemplace_good.so", "in-process", 0}};
  EXPECT_NE(Plugins::load(asking::settings(), hasty).error().message.find("deadline_ms: wanted 1 to"),
            std::string::npos);
}

TEST(Loading, RefusesARuleThatIsThereTwice) {
  const std::vector<PluginChoice> twice{{"libemplace_good.so"}, {"libemplace_good.so"}};
  EXPECT_NE(Plugins::load(asking::settings(), twice)
                .error()
                .message.find("wanted rules that nobody else has, found filter good.filter"),
            std::string::npos);
}

TEST(Loading, LoadsTheSamePluginManyTimes) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(refusal("good", R"({"label":"y"})"), "loaded");
}

}  // namespace
}  // namespace emplace
