// What plugins do before they are asked anything: in constructors of their libraries, and in create(). Each deed comes
// to nothing, in a worker and where a plugin of the service's own process is tried out.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "service/plugins/questions.h"
#include "tests/plugin/asking.h"

namespace emplace {
namespace {

namespace fs = std::filesystem;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// The system call that ends it while it is loaded, and while it is created; empty: it goes on, and has nothing of it.
struct Deed {
  const char* name;
  const char* ended_while_loaded;
  const char* ended_while_created;
};
void PrintTo(const Deed& deed, std::ostream* out) { *out << deed.name; }

constexpr Deed kDeeds[] = {
    {"shadow", "", "openat"},
    {"passwd", "", "openat"},
    {"token", "", "openat"},
    {"environ_file", "", "openat"},
    {"memory_file", "", "openat"},
    {"environment", "", ""},
    {"descriptors", "", "fcntl"},
    {"dumpable", "", "prctl"},
    {"signal", "", ""},
    {"write", "openat", "openat"},
    {"memfd", "memfd_create", "memfd_create"},
    {"socket", "socket", "socket"},
    {"thread", "clone3", "clone3"},
    {"fork", "clone", "clone"},
    {"exec", "execve", "execve"},
    {"ptrace", "ptrace", "ptrace"},
    {"parent", "getppid", "getppid"},
    {"peek", "process_vm_readv", "process_vm_readv"},
    {"kill", "kill", "kill"},
    {"io_uring", "io_uring_setup", "io_uring_setup"},
    {"setuid", "setuid", "setuid"},
    {"unshare", "unshare", "unshare"},
};

// The hostile plugin, under the name of its deed, in a folder that anybody may read.
class Hostile : public testing::TestWithParam<Deed> {
 protected:
  Hostile() {
    std::string pattern = (fs::temp_directory_path() / "emplace-hostile-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    fs::permissions(directory_, fs::perms(0755));
    for (const std::string& name : {std::string("hostile"), constructor()}) {
      fs::copy(EMPLACE_TEST_PLUGINS "/libemplace_hostile.so", directory_ / ("libemplace_" + name + ".so"));
      fs::copy(EMPLACE_TEST_PLUGINS "/hostile.json", directory_ / (name + ".json"));
    }
    std::ofstream(EMPLACE_TEST_TOKEN) << "a secret that every user of this machine may read";
    setenv("EMPLACE_TEST_SECRET", "of the service", 1);
  }
  ~Hostile() override { fs::remove_all(directory_); }

  static std::string constructor() { return std::string("hostile_") + GetParam().name; }
  PluginSettings settings(std::uint32_t without) const {
    PluginSettings made = asking::settings();
    made.directory = directory_;
    made.worker.without = without;
    return made;
  }
  // Empty: it was loaded.
  std::string why_refused(const std::string& name, const std::string& config, const char* isolation,
                          std::uint32_t without) const {
    const auto plugins = asking::load(name, config, settings(without), isolation);
    if (!plugins) return plugins.error().message;
    const PluginStatus status = plugins->status().at(0);
    return status.state == "active" ? "" : status.last_error;
  }
  void expect_in_vain(const char* isolation, std::uint32_t without = 0) const {
    const std::string doing = fmt::format(R"({{"deed":"{}"}})", GetParam().name);
    expect_ended(GetParam().ended_while_loaded, why_refused(constructor(), "{}", isolation, without));
    expect_ended(GetParam().ended_while_created, why_refused("hostile", doing, isolation, without));
    EXPECT_FALSE(fs::exists(EMPLACE_TEST_TOKEN ".written"));
  }
  static void expect_ended(const std::string& call, const std::string& why) {
    const std::string end = "while it was loaded, its worker was ended for a system call that plugins may not make: ";
    if (call.empty()) {
      EXPECT_EQ(why, "");
    } else {
      EXPECT_TRUE(why.ends_with(end + call)) << why;
    }
  }

  fs::path directory_;
};

TEST_P(Hostile, DoesItInVainInAWorker) {
  if (kSanitized) GTEST_SKIP() << "most of what confines is left out under a sanitizer";
  expect_in_vain("worker");
}

TEST_P(Hostile, DoesItInVainWhereItIsTriedOut) {
  if (kSanitized) GTEST_SKIP() << "most of what confines is left out under a sanitizer";
  // It is never loaded into this process: a trial that lets a deed pass would have it done here.
  if (*GetParam().ended_while_loaded)
    expect_ended(GetParam().ended_while_loaded, why_refused(constructor(), "{}", "in-process", 0));
}

TEST_P(Hostile, DoesItInVainWhereTheKernelGivesLess) {
  if (kSanitized) GTEST_SKIP() << "most of what confines is left out under a sanitizer";
  expect_in_vain("worker", kConfinedByLandlock);
  expect_in_vain("worker", kConfinedByUser);
  expect_in_vain("worker", kConfinedByUser | kConfinedByLandlock);
}

INSTANTIATE_TEST_SUITE_P(Plugins, Hostile, testing::ValuesIn(kDeeds),
                         [](const auto& tested) { return std::string(tested.param.name); });

// ---- what is in force, and what is wanted

std::vector<std::string> confinement(std::uint32_t without) {
  PluginSettings settings = asking::settings();
  settings.worker.without = without;
  const asking::Loaded good("good", "{}", settings, "worker");
  EXPECT_EQ(good.plugins->status().at(0).last_error, "");
  return good.plugins->status().at(0).confinement;
}

using Names = std::vector<std::string>;

TEST(Confinement, IsAsMuchAsTheKernelGives) {
  if (kSanitized) GTEST_SKIP() << "most of what confines is left out under a sanitizer";
  const std::string user = geteuid() == 0 ? "user" : "user_namespace";
  const Names always{"no_new_privs", "rlimits", "seccomp", "parent_death_signal"};
  const auto with = [&](const Names& more) {
    Names all = always;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  EXPECT_EQ(confinement(0), with({user, "landlock"}));
  EXPECT_EQ(confinement(kConfinedByLandlock), with({user, "mount_namespace"}));
  EXPECT_EQ(confinement(kConfinedByUser), with({"user_namespace", "landlock"}));
  EXPECT_EQ(confinement(kConfinedByUser | kConfinedByUserNamespace | kConfinedByLandlock | kConfinedByMounts), always);
}

TEST(Confinement, IsRequiredWhereTheConfigurationSaysSo) {
  const auto load = [](std::uint32_t without, const char* isolation) {
    PluginSettings settings = asking::settings();
    settings.worker.without = without;
    const std::vector<PluginChoice> choices{{"libemplace_good.so", isolation, 20, "{}", "required"}};
    return Plugins::load(settings, choices);
  };
  EXPECT_EQ(load(0, "worker").value().status().at(0).state, kSanitized ? "refused" : "active");
  const PluginStatus refused = load(kConfinedByLandlock | kConfinedByMounts, "worker").value().status().at(0);
  EXPECT_EQ(refused.state, "refused");
  EXPECT_NE(refused.last_error.find("plugin good: confinement: wanted all that is required, found no "),
            std::string::npos);
  EXPECT_NE(refused.last_error.find("landlock or mount_namespace"), std::string::npos) << refused.last_error;
  EXPECT_NE(
      load(0, "in-process").error().message.find("isolation: wanted \"worker\" where confinement is \"required\""),
      std::string::npos);
}

}  // namespace
}  // namespace emplace
