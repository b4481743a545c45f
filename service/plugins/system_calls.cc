#include "service/plugins/system_calls.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/prctl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "service/plugins/questions.h"

namespace emplace {
namespace {

struct Filter {
  scmp_filter_ctx context = seccomp_init(SCMP_ACT_TRAP);
  int error = context ? 0 : ENOMEM;
  ~Filter() { seccomp_release(context); }
  template <typename... Conditions>
  void rule(std::uint32_t action, int call, Conditions... conditions) {
    if (error == 0) error = -seccomp_rule_add(context, action, call, sizeof...(conditions), conditions...);
  }
  void allow(std::initializer_list<int> calls) {
    for (const int call : calls) rule(SCMP_ACT_ALLOW, call);
  }
  void answer(int with, std::initializer_list<int> calls) {
    for (const int call : calls) rule(SCMP_ACT_ERRNO(with), call);
  }
  Result<void> load() {
    // The worker has said itself that it wants no new privileges.
    if (error == 0) error = -seccomp_attr_set(context, SCMP_FLTATR_CTL_NNP, 0);
    if (error == 0) error = -seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1);
    if (error == 0) error = -seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (error == 0) error = -seccomp_load(context);
    return error == 0 ? Result<void>()
                      : fail(ErrorCode::kUnavailable, fmt::format("seccomp: {}", std::strerror(error)));
  }
};

// ---- what both allow

// A process may end itself, in the ways in which C and C++ do that. What a forbidden call does stays ours.
void allow_ending(Filter& filter) {
  const auto itself = SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid()));
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(tgkill), itself, SCMP_A2(SCMP_CMP_EQ, SIGABRT));
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(rt_sigaction), SCMP_A0(SCMP_CMP_NE, SIGSYS));
  filter.rule(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(rt_sigaction), SCMP_A0(SCMP_CMP_EQ, SIGSYS));
  filter.allow({SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(getpid), SCMP_SYS(gettid)});
  // Says yes and blocks nothing: starting a thread blocks all signals first, and then a forbidden call would have no
  // name.
  filter.answer(0, {SCMP_SYS(rt_sigprocmask)});
}

void allow_time(Filter& filter) {
  filter.allow({SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(nanosleep),
                SCMP_SYS(clock_nanosleep), SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield), SCMP_SYS(getrandom)});
}

// ---- while it loads

void allow_files(Filter& filter) {
  constexpr scmp_datum_t kChanging = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, kChanging, 0));
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, kChanging, 0));
  filter.allow({SCMP_SYS(read),     SCMP_SYS(pread64),     SCMP_SYS(readv),     SCMP_SYS(lseek),
                SCMP_SYS(close),    SCMP_SYS(close_range), SCMP_SYS(fstat),     SCMP_SYS(newfstatat),
                SCMP_SYS(stat),     SCMP_SYS(lstat),       SCMP_SYS(statx),     SCMP_SYS(fstatfs),
                SCMP_SYS(statfs),   SCMP_SYS(access),      SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
                SCMP_SYS(readlink), SCMP_SYS(readlinkat),  SCMP_SYS(getcwd),    SCMP_SYS(getdents64)});
  for (const int command : {F_GETFD, F_SETFD, F_GETFL}) {
    filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, static_cast<scmp_datum_t>(command)));
  }
  for (const int call : {SCMP_SYS(write), SCMP_SYS(writev)}) {
    filter.rule(SCMP_ACT_ALLOW, call, SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO));
    filter.rule(SCMP_ACT_ERRNO(EBADF), call, SCMP_A0(SCMP_CMP_NE, STDERR_FILENO));
  }
  filter.answer(ENOTTY, {SCMP_SYS(ioctl)});
  filter.answer(ENOSYS, {SCMP_SYS(openat2)});
}

// What run-time libraries ask about the process and the machine, and what leads to the second filter.
void allow_asking(Filter& filter) {
  filter.allow({SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(uname),
                SCMP_SYS(sysinfo), SCMP_SYS(getrlimit), SCMP_SYS(getrusage), SCMP_SYS(times), SCMP_SYS(clock_getres),
                SCMP_SYS(getcpu), SCMP_SYS(sched_getaffinity), SCMP_SYS(arch_prctl), SCMP_SYS(set_tid_address),
                SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sigaltstack), SCMP_SYS(seccomp)});
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_EQ, 0));
  filter.answer(EPERM, {SCMP_SYS(prctl)});
}

// ---- while it computes

void allow_memory(Filter& filter) {
  const auto no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
  filter.allow({SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise)});
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(mmap), no_code, SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(mprotect), no_code);
}

// ---- what happens at a call that is not allowed

// A signal handler can reach only what is static, and may ask nobody.
constexpr std::size_t kCalls = 512, kLongestName = 32;
std::array<std::array<char, kLongestName>, kCalls> names;
std::span<char> told;

void end_for_call(int, siginfo_t* info, void*) {
  const auto call = static_cast<std::size_t>(info->si_syscall);
  const char* const name = call < kCalls ? names[call].data() : "";
  if (!told.empty()) std::memcpy(told.data(), name, std::min(told.size(), kLongestName));
  _exit(kWorkerForbiddenCall);
}

void learn_names() {
  for (std::size_t call = 0; call < kCalls; ++call) {
    char* const name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(call));
    if (name) std::strncpy(names[call].data(), name, kLongestName - 1);
    std::free(name);
  }
}

Result<void> end_at_forbidden_calls() {
  learn_names();
  struct sigaction action {};
  action.sa_sigaction = end_for_call;
  action.sa_flags = SA_SIGINFO;
  if (sigaction(SIGSYS, &action, nullptr) == 0) return {};
  return fail(ErrorCode::kUnavailable, fmt::format("sigaction: {}", std::strerror(errno)));
}

}  // namespace

Result<void> allow_loading(std::span<char> room) {
  told = room;
  if (const auto prepared = end_at_forbidden_calls(); !prepared) return prepared;
  Filter filter;
  allow_ending(filter);
  allow_time(filter);
  allow_files(filter);
  allow_asking(filter);
  filter.allow(
      {SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mmap), SCMP_SYS(mprotect)});
  return filter.load();
}

Result<void> allow_computing() {
  Filter filter;
  allow_ending(filter);
  allow_time(filter);
  allow_memory(filter);
  // Last words (an assertion's, an exception's that nobody caught) go nowhere; they are not what the process dies of.
  filter.answer(EBADF, {SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(fstat), SCMP_SYS(newfstatat)});
  return filter.load();
}

}  // namespace emplace
