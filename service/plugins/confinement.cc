#include "service/plugins/confinement.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <memory>

#include "service/plugins/questions.h"

namespace emplace {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// What it may write to files while it loads: the end of a story on its standard error.
constexpr rlim_t kOutputBytes = 64 << 10;
constexpr rlim_t kLoadingDescriptors = 32;

tl::unexpected<Error> failed(const char* what, int error = errno) {
  return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", what, std::strerror(error)));
}

bool limit(__rlimit_resource what, rlim_t most) {
  const rlimit value{most, most};
  return setrlimit(what, &value) == 0;
}

std::uint64_t mapped_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  statm >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

struct Filter {
  scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
  int error = context ? 0 : ENOMEM;
  ~Filter() { seccomp_release(context); }
  template <typename... Conditions>
  void rule(std::uint32_t action, int call, Conditions... conditions) {
    if (error == 0) error = -seccomp_rule_add(context, action, call, sizeof...(conditions), conditions...);
  }
};

void allow_memory(Filter& filter) {
  const auto no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
  for (const int call : {SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise)}) {
    filter.rule(SCMP_ACT_ALLOW, call);
  }
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(mmap), no_code, SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(mprotect), no_code);
}

// A process may end itself, in the ways in which C and C++ do that.
void allow_ending(Filter& filter) {
  const auto itself = SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid()));
  filter.rule(SCMP_ACT_ALLOW, SCMP_SYS(tgkill), itself, SCMP_A2(SCMP_CMP_EQ, SIGABRT));
  for (const int call : {SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigaction),
                         SCMP_SYS(rt_sigprocmask), SCMP_SYS(getpid), SCMP_SYS(gettid)}) {
    filter.rule(SCMP_ACT_ALLOW, call);
  }
  // Last words (an assertion's, an exception's that nobody caught) go nowhere; they are not what the process dies of.
  for (const int call : {SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(fstat), SCMP_SYS(newfstatat)}) {
    filter.rule(SCMP_ACT_ERRNO(EBADF), call);
  }
}

void allow_time(Filter& filter) {
  for (const int call :
       {SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(nanosleep),
        SCMP_SYS(clock_nanosleep), SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield), SCMP_SYS(getrandom)}) {
    filter.rule(SCMP_ACT_ALLOW, call);
  }
}

Result<void> allow_little() {
  Filter filter;
  allow_memory(filter);
  allow_ending(filter);
  allow_time(filter);
  if (filter.error == 0) filter.error = -seccomp_load(filter.context);
  return filter.error == 0 ? Result<void>() : failed("seccomp", filter.error);
}

}  // namespace

Result<std::uint32_t> confine_early(int parent, int last_fd) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return failed("PR_SET_PDEATHSIG");
  // It may have died before that.
  if (getppid() != parent) return fail(ErrorCode::kUnavailable, "the service that started this worker is gone");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("PR_SET_NO_NEW_PRIVS");
  if (close_range(static_cast<unsigned>(last_fd) + 1, UINT_MAX, 0) != 0) return failed("close_range");
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // A limit of 0 processes does not bind root; seccomp does.
  const bool limited = limit(RLIMIT_CORE, 0) && limit(RLIMIT_NPROC, 0) && limit(RLIMIT_FSIZE, kOutputBytes) &&
                       limit(RLIMIT_NOFILE, kLoadingDescriptors);
  if (!limited) return failed("setrlimit");
  return std::uint32_t{kConfinedByParent | kConfinedByPrivileges};
}

Result<std::uint32_t> limit_memory() {
  if (kSanitized) return 0u;
  const bool limited = limit(RLIMIT_AS, mapped_bytes() + kWorkerMemoryBytes) && limit(RLIMIT_DATA, kWorkerMemoryBytes);
  return limited ? Result<std::uint32_t>(std::uint32_t{kConfinedByLimits}) : failed("limiting memory");
}

Result<std::uint32_t> confine(std::uint32_t bits) {
  // A sanitizer says what it found on standard error, and asks the kernel through a pipe what is mapped.
  if (close_range(kSanitized ? STDERR_FILENO + 1 : 0, UINT_MAX, 0) != 0) return failed("close_range");
  if (kSanitized) return bits;
  if (!limit(RLIMIT_NOFILE, 0)) return failed("setrlimit");
  if (const auto confined = allow_little(); !confined) return tl::unexpected(confined.error());
  return bits | kConfinedBySeccomp;
}

}  // namespace emplace
