#include "cli/check/runner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <set>

#include "cli/check/cluster.h"
#include "cli/check/second_thread.h"
#include "service/core/base/utf8.h"
#include "service/plugins/confinement.h"
#include "service/plugins/library_file.h"

// glibc 2.36 declares its functions without C linkage.
extern "C" {
#include <sys/pidfd.h>
}

namespace emplace::check {
namespace {

constexpr int kLongestTestMs = 180'000;
constexpr std::int64_t kLookMs = 100;  // between two looks at whether a call hangs

struct Ended {
  int status = 0;
  bool hung = false;  // in one call
  bool in_time = true;
  std::string last_words;  // the end of what it printed
};

// Returns the child, or -1 with errno.
pid_t spawn(const Setting& setting, const Test& test, int output) {
  std::vector<std::string> words{"emplace-plugin-check",
                                 setting.files.manifest.string(),
                                 "--library",
                                 setting.files.library.string(),
                                 "--config",
                                 setting.configuration,
                                 "--seed",
                                 std::to_string(setting.seed),
                                 "--budget-us",
                                 std::to_string(setting.budget_us),
                                 "--run",
                                 std::string(test.name)};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, setting.watch->fd(), kWatchFd);
  pid_t pid = -1;
  char* nothing[] = {nullptr};  // of the environment
  errno = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, arguments.data(), nothing);
  posix_spawn_file_actions_destroy(&actions);
  return errno == 0 ? pid : -1;
}

// Only the end is kept: a plugin may print without end.
void drain(int fd, std::string& text) {
  std::array<char, 4096> buffer;
  for (ssize_t got = 0; (got = read(fd, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > 65536) text.erase(0, text.size() - 16384);
  }
}

Ended wait_for(pid_t pid, int output, const Watch& watch) {
  using std::chrono::steady_clock;
  Ended ended;
  const int over = pidfd_open(pid, 0);
  const auto until = steady_clock::now() + std::chrono::milliseconds(kLongestTestMs);
  std::array<pollfd, 2> waits{{{over, POLLIN, 0}, {output, POLLIN, 0}}};
  while (waits[0].revents == 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_clock::now()).count();
    ended.in_time = left > 0;
    ended.hung = watch.call_hangs();
    if (ended.hung || !ended.in_time) {
      kill(pid, SIGKILL);
      break;
    }
    poll(waits.data(), waits.size(), static_cast<int>(std::min<std::int64_t>(left, kLookMs)));
    drain(output, ended.last_words);
    if (waits[1].revents & (POLLHUP | POLLERR)) waits[1].fd = -1;  // it closed its output, and lives
  }
  while (waitpid(pid, &ended.status, 0) < 0 && errno == EINTR) {
  }
  drain(output, ended.last_words);
  close(over);
  return ended;
}

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  text.erase(0, text.rfind('\n') + 1);
  return to_utf8(text, 400);
}

// What ended a test before its end, as a sentence.
std::string why_ended(const Ended& ended, const Watch& watch) {
  const std::string during = watch.last_call().empty() ? "" : " in: " + watch.last_call();
  const std::string said = last_line(ended.last_words);
  const std::string words = said.empty() ? "" : " (" + said + ")";
  if (WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == kWorkerForbiddenCall) {
    return fmt::format("made a system call that plugins may not make: {}{}", watch.forbidden_call(), during);
  }
  if (ended.hung) return fmt::format("did not return within {} s{}", Watch::kLongestCallS, during);
  if (!ended.in_time) return fmt::format("was not done after {} s{}", kLongestTestMs / 1000, during);
  if (WIFSIGNALED(ended.status)) {
    return fmt::format("crashed with signal {} ({}){}{}", WTERMSIG(ended.status), strsignal(WTERMSIG(ended.status)),
                       during, words);
  }
  return fmt::format("ended the process with code {}{}{}", WEXITSTATUS(ended.status), during, words);
}

// One process.
Findings run_apart(Setting setting, const Test& test) {
  Findings findings;
  auto watch = Watch::create();
  std::array<int, 2> ends{};
  if (!watch || pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    findings.fault("no memory or no pipe for its process");
    return findings;
  }
  setting.watch = &*watch;
  const pid_t pid = spawn(setting, test, ends[1]);
  close(ends[1]);
  if (pid < 0) {
    findings.fault(fmt::format("no process for it: {}", std::strerror(errno)));
  } else {
    const Ended ended = wait_for(pid, ends[0], *watch);
    auto found = watch->findings();
    if (found) {
      findings = std::move(*found);
    } else {
      findings.fault(why_ended(ended, *watch));
    }
  }
  close(ends[0]);
  return findings;
}

Findings run_apart_twice(const Setting& setting, const Test& test) {
  Findings first = run_apart(setting, test);
  if (!test.twice || first.faulty()) return first;
  const Findings second = run_apart(setting, test);
  for (const std::string& fault : second.faults()) first.fault(fault);
  if (first.digest() != second.digest()) first.fault("a second process came to other answers");
  return first;
}

TestReport report_of(const Test& test, const Findings& findings, double seconds) {
  TestReport report{std::string(test.name), std::string(test.promise), Outcome::kPassed,
                    findings.faults(),      findings.notes(),          seconds};
  if (findings.faulty()) {
    report.outcome = Outcome::kFailed;
  } else if (!findings.unexercised().empty()) {
    report.outcome = Outcome::kNotExercised;
    for (const std::string& what : findings.unexercised()) report.notes.push_back("not exercised: " + what);
  } else if (!findings.skipped().empty()) {
    report.outcome = Outcome::kSkipped;
    report.notes = {findings.skipped()};
  }
  return report;
}

// ---- in the process of a test

// What a test of the plugin's code needs from outside; then the process gives up its rights, as a worker does before it
// loads the library.
struct Confined {
  std::shared_ptr<const LibraryFile> copy;
  std::unique_ptr<SecondThread> second_thread;
};

Result<Confined> confine_for(const Test& test, Setting& setting) {
  prepare_memory();
  auto copy = LibraryFile::read(setting.files.library);
  if (!copy) return tl::unexpected(copy.error());
  Confined confined{*copy, nullptr};
  const auto early = confine_early({setting.files.library, (*copy)->copy_fd()}, getppid());
  if (!early) return tl::unexpected(early.error());
  if (test.two_threads) confined.second_thread = std::make_unique<SecondThread>();
  const auto loading = confine_loading(setting.watch->forbidden_room());
  if (!loading) return tl::unexpected(loading.error());
  const bool reachable = access(setting.files.library.c_str(), R_OK) == 0;
  setting.copy = reachable ? setting.files.library.string() : fmt::format("/proc/self/fd/{}", (*copy)->copy_fd());
  setting.second_thread = confined.second_thread.get();
  return confined;
}

Findings faulty(const Error& error) {
  Findings findings;
  findings.fault(error.message);
  return findings;
}

// Of a process that is confined.
Findings run_code(const Test& test, Setting& setting) {
  if (test.code == Test::Code::kLoaded) return test.run(setting);
  setting.watch->enter("loading");
  const auto library = PluginLibrary::open(setting.subject->manifest, setting.copy);
  setting.watch->leave();
  if (!library) return faulty(library.error());
  if (const auto confined = confine(); !confined) return faulty(confined.error());
  setting.plugin = &*library;
  try {
    return test.run(setting);
  } catch (const std::exception& error) {
    return faulty({ErrorCode::kInvalid, error.what()});
  }
}

}  // namespace

Report run_all(const Setting& setting, const std::string& only, const std::function<void(const TestReport&)>& ended) {
  using std::chrono::steady_clock;
  Report report{setting.files.library.string(), setting.configuration, setting.seed, setting.budget_us, {}};
  std::set<std::string_view> unmet;
  for (const Test& test : all_tests()) {
    if (!only.empty() && only != test.name) continue;
    const auto missing = std::ranges::find_if(test.needs, [&](std::string_view name) { return unmet.contains(name); });
    if (missing != test.needs.end()) {
      report.tests.push_back({std::string(test.name),
                              std::string(test.promise),
                              Outcome::kNotRun,
                              {},
                              {fmt::format("needs {}", *missing)}});
    } else {
      const auto start = steady_clock::now();
      const Findings findings = run_apart_twice(setting, test);
      const std::chrono::duration<double> took = steady_clock::now() - start;
      report.tests.push_back(report_of(test, findings, took.count()));
    }
    const Outcome outcome = report.tests.back().outcome;
    if (outcome == Outcome::kFailed || outcome == Outcome::kNotRun) unmet.insert(test.name);
    ended(report.tests.back());
  }
  return report;
}

Result<void> run_here(Setting setting, const std::string& name) {
  const auto tests = all_tests();
  const auto test = std::ranges::find(tests, name, &Test::name);
  if (test == tests.end()) return fail(ErrorCode::kInvalid, "no test is called " + name);
  auto watch = Watch::inherit(kWatchFd);
  if (!watch) return tl::unexpected(watch.error());
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  setting.watch = &*watch;
  auto subject = Subject::read(setting.files, setting.configuration);
  if (subject) setting.subject = &*subject;
  if (test->code == Test::Code::kNone) {
    watch->finish(test->run(setting));
    return {};
  }
  if (!subject) return tl::unexpected(subject.error());
  const auto confined = confine_for(*test, setting);
  watch->finish(confined ? run_code(*test, setting) : faulty(confined.error()));
  // A process that is confined may not even close what it has.
  _exit(0);
}

}  // namespace emplace::check
