// Plugins in workers: the same answers as in this process, and a plugin that goes wrong costs itself and nobody else.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "service/core/base/utf8.h"
#include "service/core/decide/rule_book.h"
#include "service/plugins/absent_rules.h"
#include "tests/plugin/asking.h"

namespace emplace {
namespace {

using asking::Asked;
using asking::host;
using asking::Loaded;
using asking::request;
using asking::three_hosts;
using testing_rows::picture_of;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

Loaded in_worker(const std::string& name, PluginSettings settings = asking::settings()) {
  return Loaded(name, "{}", std::move(settings), "worker");
}

template <typename Done>
bool comes_to_pass(Done&& done) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!done()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

PluginStatus status(const Loaded& loaded) { return loaded.plugins->status().at(0); }

std::string failure(const Result<Costs>& costs) { return costs ? "took it" : costs.error().message; }

// An unruly plugin in a worker, and what it says to wishes.
struct Unruly {
  Unruly() : loaded(in_worker("unruly")) {}
  std::string wish(const std::string& document) const { return failure(evaluate(document)); }
  Result<Costs> evaluate(const std::string& document) const {
    return Asked(picture, request(), 0, document).evaluate(loaded.objective("unruly.cost"));
  }
  bool comes_back() const {
    return comes_to_pass([this] { return status(loaded).state == "active"; }) && wish("nothing") == "took it";
  }

  const Loaded loaded;
  const std::shared_ptr<const Picture> picture = three_hosts();
};

TEST(Worker, AnswersAsInThisProcess) {
  const Loaded good = in_worker("good");
  const Asked asked(three_hosts(), request("new", 500));

  EXPECT_EQ(asked.evaluate(good.objective("good.cost")).value().values, (std::vector<double>{-100, -1000, -10000}));
  const auto screened = asking::screen(good.filter("good.filter"), asked);
  EXPECT_EQ(screened.kept, (std::vector<std::string>{"middle", "big"}));
  const Refusal why = good.filter("good.filter").explain(*asked.query, asked.picture->find_host("small"), 7);
  EXPECT_EQ(why.code, "test.memory");
  EXPECT_EQ(std::get<double>(why.found), 100);
}

TEST(Worker, IsConfined) {
  const auto confinement = status(in_worker("good")).confinement;
  for (const char* always : {"no_new_privs", "parent_death_signal"})
    EXPECT_EQ(std::ranges::count(confinement, always), 1);
  for (const char* name : {"rlimits", "seccomp"}) EXPECT_EQ(std::ranges::count(confinement, name), kSanitized ? 0 : 1);
}

TEST(Worker, DiesAloneAndComesBack) {
  const Unruly unruly;

  EXPECT_EQ(unruly.wish("please-crash"),
            "plugin unruly, unruly.cost: its worker died of signal 11 (Segmentation fault)");

  EXPECT_TRUE(unruly.comes_back());
  EXPECT_EQ(status(unruly.loaded).restarts, 1u);
  EXPECT_EQ(status(unruly.loaded).last_error, "its worker died of signal 11 (Segmentation fault)");
  EXPECT_EQ(status(unruly.loaded).rules[1].counts.misses, 1u);
}

TEST(Worker, SaysHowItEnded) {
  const Unruly unruly;
  const std::pair<const char*, const char*> ends[] = {
      {"please-abort", "its worker died of signal 6 (Aborted)"},
      {"please-exit", "its worker ended with code 0"},
      {"please-hang", "its worker was killed: no answer within 40 ms"},
  };
  for (const auto& [wish, end] : ends) {
    EXPECT_EQ(unruly.wish(wish), "plugin unruly, unruly.cost: " + std::string(end));
    EXPECT_TRUE(unruly.comes_back()) << wish;
  }
}

TEST(Worker, MayNotDoWhatPluginsMayNotDo) {
  if (kSanitized) GTEST_SKIP() << "seccomp and limits on memory are left out under a sanitizer";
  const Unruly unruly;
  const std::pair<const char*, const char*> wishes[] = {{"please-fork", "clone"},
                                                        {"please-exec", "execve"},
                                                        {"please-socket", "socket"},
                                                        {"please-open", "openat"},
                                                        {"please-kill", "getppid"}};
  for (const auto& [wish, call] : wishes) {
    EXPECT_EQ(
        unruly.wish(wish),
        fmt::format("plugin unruly, unruly.cost: its worker was ended for a system call that plugins may not make: {}",
                    call));
    EXPECT_TRUE(unruly.comes_back()) << wish;
  }
}

TEST(Worker, EndsWhenItTakesTooMuchMemory) {
  if (kSanitized) GTEST_SKIP() << "seccomp and limits on memory are left out under a sanitizer";
  auto settings = asking::settings();
  const Loaded unruly = Loaded("unruly", "{}", settings, "worker", 10'000);
  const auto costs = Asked(three_hosts(), request(), 0, "please-hog").evaluate(unruly.objective("unruly.cost"));
  EXPECT_EQ(failure(costs), "plugin unruly, unruly.cost: its worker ran out of the memory that it may use");
  EXPECT_TRUE(comes_to_pass([&] { return status(unruly).state == "active"; }));
}

TEST(Worker, CannotWriteIntoThePicture) {
  const auto picture = three_hosts();
  auto settings = asking::settings();
  settings.worker.pictures = picture->arena();
  const Loaded unruly = in_worker("unruly", settings);
  const std::string before(reinterpret_cast<const char*>(picture->arena()->base()), 4096);

  const auto costs = Asked(picture, request(), 0, "please-scribble").evaluate(unruly.objective("unruly.cost"));

  EXPECT_EQ(failure(costs), "plugin unruly, unruly.cost: its worker died of signal 11 (Segmentation fault)");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(picture->arena()->base()), 4096), before);
}

TEST(Worker, IsNotTrustedWithItsResults) {
  const Unruly unruly;
  EXPECT_EQ(unruly.wish("please-nan"), "plugin unruly, unruly.cost: wanted a finite cost for candidate 0, found nan");
  EXPECT_EQ(unruly.wish("please-short"), "plugin unruly, unruly.cost: wanted results for 3 candidates, found 2");
  EXPECT_EQ(unruly.wish("please-boast"),
            "plugin unruly, unruly.cost: wanted results for 3 candidates, found 2147483647");
  EXPECT_EQ(unruly.wish("please-quality"),
            "plugin unruly, unruly.cost: wanted a quality from 0 to 2 for candidate 0, found 77");
  EXPECT_EQ(unruly.wish("please-fail").size(), std::string("plugin unruly, unruly.cost: ").size() + 1023);
  EXPECT_EQ(status(unruly.loaded).restarts, 0u) << "a wrong answer is no reason to end a worker";
  EXPECT_EQ(status(unruly.loaded).state, "active");
}

// Files of a plugin that nobody has to load.
class UnfitFiles : public testing::Test {
 protected:
  UnfitFiles() {
    std::string pattern = (std::filesystem::temp_directory_path() / "emplace-unfit-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    const std::filesystem::path from(EMPLACE_TEST_PLUGINS);
    std::filesystem::copy(from / "libemplace_good.so", directory_);
    std::filesystem::copy(from / "good.json", directory_);
    settings_.directory = directory_;
  }
  ~UnfitFiles() override { std::filesystem::remove_all(directory_); }
  void write_manifest(const std::string& text) { std::ofstream(directory_ / "good.json") << text; }
  std::string manifest() const { return read_text(directory_ / "good.json"); }
  static std::string read_text(const std::filesystem::path& file) {
    std::ifstream in(file);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  // Loads it beside another one, and expects that it costs its own rules and nothing else.
  void expect_refused(const std::string& why, const std::string& config = "{}") const {
    const std::string other = EMPLACE_TEST_PLUGINS "/libemplace_plain.so";
    const std::vector<PluginChoice> choices{{"libemplace_good.so", "worker", 20, config}, {other, "in-process"}};
    const auto plugins = Plugins::load(settings_, choices);
    ASSERT_TRUE(plugins) << plugins.error().message;
    const auto all = plugins->status();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].state, "active");
    EXPECT_EQ(all[1].state, "refused");
    EXPECT_EQ(all[1].id, "good");
    EXPECT_NE(all[1].last_error.find(why), std::string::npos) << all[1].last_error;
    const std::vector<Profile> profiles{{"p", RankMethod::kChebyshev, {"good.filter"}, {{"good.cost"}}, {}}};
    RuleBook book(Catalogue{});
    ASSERT_TRUE(
        book.replace(with_stand_ins(plugins->add_to(built_in_rules()), profiles, plugins->refusals()), profiles, {}));
    const auto rules = *book.find("p");
    const auto costs = Asked(three_hosts(), request()).evaluate(*rules->objectives.at(0));
    EXPECT_EQ(failure(costs), "plugin good was refused: " + all[1].last_error);
    EXPECT_FALSE(asking::screen(*rules->filters.at(0), Asked(three_hosts(), request())).done);
  }

  std::filesystem::path directory_;
  PluginSettings settings_ = asking::settings();
};

TEST_F(UnfitFiles, CostTheirOwnRulesAndNothingElse) {
  const std::string whole = manifest();
  write_manifest("{");
  expect_refused("good.json: ");
  write_manifest(whole.substr(0, whole.rfind('}')) + ", \"colour\": \"blue\"}");
  expect_refused("colour: wanted no such field");
  write_manifest(whole);
  expect_refused("config: label: wanted enum", R"({"label":"z"})");
  std::filesystem::resize_file(directory_ / "good.json", 200 << 20);
  expect_refused("wanted a plugin's manifest of at most 1048576 bytes, found 209715200");
  std::filesystem::remove(directory_ / "good.json");
  expect_refused("wanted a plugin's manifest, found no file that can be read");
  ASSERT_EQ(mkfifo((directory_ / "good.json").c_str(), 0600), 0);
  expect_refused("wanted a plugin's manifest, found no file that can be read");
  std::filesystem::remove(directory_ / "libemplace_good.so");
  expect_refused("wanted a shared object, found no file");
}

TEST_F(UnfitFiles, TakeNoRuleOfOthers) {
  const std::string whole = manifest();
  for (const char* taken : {"capacity", "plain.cost"}) {
    std::string twin = whole;
    twin.replace(twin.find("good.filter"), std::strlen("good.filter"), taken);
    write_manifest(twin);
    expect_refused(fmt::format("wanted rules that nobody else has, found filter {}", taken));
  }
}

TEST_F(UnfitFiles, AreNotTakenInPlaceOfWhatRuns) {
  const std::vector<PluginChoice> choices{{"libemplace_good.so", "worker"}};
  const auto running = Plugins::load(settings_, choices);
  ASSERT_TRUE(running);
  const std::string whole = manifest();
  write_manifest("{");
  EXPECT_FALSE(running->reload(settings_, choices)) << "what runs goes on";
  const auto refused = Plugins::load(settings_, choices);
  ASSERT_TRUE(refused);
  EXPECT_TRUE(refused->reload(settings_, choices)) << "nothing has become worse";
  write_manifest(whole);
  EXPECT_EQ(refused->reload(settings_, choices).value().status().at(0).state, "active");
}

// Here and in a worker: what a plugin writes where texts go is text once it has come in.
TEST(PluginTexts, AreTextWhateverThePluginWrote) {
  for (const char* isolation : {"in-process", "worker"}) {
    const Loaded unruly("unruly", "{}", asking::settings(), isolation);
    const auto picture = three_hosts();
    const auto costs = Asked(picture, request(), 0, "please-babble").evaluate(unruly.objective("unruly.cost"));
    EXPECT_TRUE(failure(costs).starts_with("plugin unruly, unruly.cost: ä\uFFFD\uFFFD\x01\uFFFD\uFFFDä"))
        << failure(costs);
    EXPECT_TRUE(is_utf8(failure(costs)));

    const auto explain = [&](const char* document) {
      const Asked asked(picture, request(), 0, document);
      return unruly.filter("unruly.filter").explain(*asked.query, 0, 1);
    };
    const Refusal refusal = explain("please-refuse");
    for (const std::string& text :
         {refusal.code, refusal.unit, std::get<std::string>(refusal.wanted), std::get<std::string>(refusal.found)}) {
      EXPECT_TRUE(text.starts_with("ä\uFFFD\uFFFD\x01")) << text;
      EXPECT_TRUE(is_utf8(text)) << text;
    }
    const Refusal unexplained = explain("please-throw");
    EXPECT_TRUE(is_utf8(std::get<std::string>(unexplained.found))) << std::get<std::string>(unexplained.found);
  }
}

TEST(Worker, FailsAtOnceWhileItIsStartedAgain) {
  auto settings = asking::settings();
  settings.worker.first_back_off_ms = settings.worker.longest_back_off_ms = 60'000;
  const Loaded unruly = in_worker("unruly", settings);
  const auto picture = three_hosts();
  const auto wish = [&](const char* document) {
    return failure(Asked(picture, request(), 0, document).evaluate(unruly.objective("unruly.cost")));
  };
  wish("please-crash");

  EXPECT_EQ(wish("nothing"),
            "plugin unruly, unruly.cost: its worker is being started again: its worker died of signal 11 "
            "(Segmentation fault)");
  EXPECT_EQ(status(unruly).state, "starting");
}

TEST(Worker, IsSetAsideAfterThreeMissesInARow) {
  auto now = std::make_shared<std::atomic<std::int64_t>>(1);
  auto settings = asking::settings();
  settings.tick = [now] { return now->load(); };
  const Loaded unruly = in_worker("unruly", settings);
  const auto picture = three_hosts();
  const auto wish = [&](const char* document) {
    EXPECT_TRUE(comes_to_pass([&] { return status(unruly).state != "starting"; }));
    return failure(Asked(picture, request(), 0, document).evaluate(unruly.objective("unruly.cost")));
  };
  for (int i = 0; i < Breaker::kMisses; ++i) wish("please-crash");

  EXPECT_EQ(status(unruly).state, "quarantined");
  EXPECT_EQ(wish("nothing"),
            "plugin unruly, unruly.cost: plugin unruly: set aside for a while after 3 misses in a row; the last: its "
            "worker died of signal 11 (Segmentation fault)");

  *now += Breaker::kQuarantineUs;
  wish("please-crash");  // the trial
  EXPECT_EQ(status(unruly).state, "quarantined");
  *now += Breaker::kQuarantineUs;
  EXPECT_EQ(status(unruly).state, "quarantined") << "twice as long";
  *now += Breaker::kQuarantineUs;
  EXPECT_EQ(wish("nothing"), "took it");
  EXPECT_EQ(status(unruly).state, "active");
}

TEST(Worker, IsNeverWaitedForWhenItCannotBeLoaded) {
  const std::pair<const char*, const char*> faults[] = {
      {"wrongmajor", "wanted ABI 1.0 to 1.2, found 99.2"},
      {"no_symbol", "wanted the symbol emplace_plugin_entry, found none"},
      {"throwinginitialiser", "while it was loaded, its worker died of signal 6 (Aborted)"},
      {"crashingcreate", "while it was loaded, its worker died of signal 6 (Aborted)"},
      {"exitingcreate", "while it was loaded, its worker ended with code 0"},
      {"failingcreate", "create failed: the moon is in the wrong place"},
      {"missingrule", "wanted emplace.objective/1 \"missingrule.cost\" as its manifest says, found none"},
  };
  for (const auto& [name, why] : faults) {
    const Loaded loaded = in_worker(name);
    const auto costs = Asked(three_hosts(), request()).evaluate(loaded.objective(std::string(name) + ".cost"));
    EXPECT_NE(failure(costs).find(why), std::string::npos) << failure(costs);
    EXPECT_NE(failure(costs).find("its worker cannot be started: plugin "), std::string::npos) << failure(costs);
    EXPECT_EQ(status(loaded).state, "refused");
    EXPECT_NE(status(loaded).last_error.find(why), std::string::npos);
  }
}

TEST(Worker, AnswersManyAtOnce) {
  const Unruly unruly;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      const auto own = three_hosts();
      for (int i = 0; i < 200; ++i) {
        const Asked asked(i % 2 ? own : unruly.picture, request());
        const auto costs = asked.evaluate(unruly.loaded.objective("unruly.cost"));
        wrong += !costs || costs->values != std::vector<double>{0, 1, 2};
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace emplace
