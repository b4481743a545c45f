// Plugins in workers: the same answers as in this process, and a plugin that goes wrong costs itself and nobody else.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

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
  const std::vector<std::string> all{"no_new_privs", "rlimits", "seccomp", "parent_death_signal"};
  const std::vector<std::string> sanitized{"no_new_privs", "parent_death_signal"};
  EXPECT_EQ(status(in_worker("good")).confinement, kSanitized ? sanitized : all);
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
  for (const char* wish : {"please-fork", "please-exec", "please-socket", "please-open", "please-kill"}) {
    EXPECT_EQ(unruly.wish(wish),
              "plugin unruly, unruly.cost: its worker was ended for a system call that plugins may not make")
        << wish;
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
      {"wrongmajor", "wanted ABI 1.0 to 1.1, found 99.1"},
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
