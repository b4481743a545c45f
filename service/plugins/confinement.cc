#include "service/plugins/confinement.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "service/plugins/landlock.h"
#include "service/plugins/own_tree.h"
#include "service/plugins/system_calls.h"

namespace emplace {
namespace {

namespace fs = std::filesystem;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// What it may write to files while it loads: the end of a story on its standard error.
constexpr rlim_t kOutputBytes = 64 << 10;
constexpr rlim_t kLoadingDescriptors = 32;

// A worker without a user that was made for it takes a number that no distribution gives to anybody, each its own;
// where a container lacks that one, nobody's.
constexpr std::uint32_t kFirstUser = 1'900'000'000;
constexpr std::uint32_t kNobody = 65534;

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

// ---- capabilities

struct Capabilities {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  bool read() { return syscall(SYS_capget, &header, sets.data()) == 0; }
  bool write() { return syscall(SYS_capset, &header, sets.data()) == 0; }
  bool has(unsigned capability) const { return (sets[capability / 32].effective & (1u << (capability % 32))) != 0; }
};

// Root that can become another user, and can still end the worker then.
bool can_become_another() {
  Capabilities own;
  if (geteuid() != 0 || !own.read()) return false;
  return own.has(CAP_SETUID) && own.has(CAP_SETGID) && own.has(CAP_KILL);
}

bool drop_capabilities() {
  Capabilities none;
  return none.write();
}

// ---- who it is

bool become(std::uint32_t user, std::uint32_t group) {
  return setgroups(0, nullptr) == 0 && setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0;
}

bool become_another(const Rights& rights) {
  if (rights.user != 0) return become(rights.user, rights.group);
  const std::uint32_t own = kFirstUser + static_cast<std::uint32_t>(getpid());
  return become(own, own) || become(kNobody, kNobody);
}

bool write_text(const char* file, const std::string& text) {
  const int fd = open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return written;
}

// Its user stays what it was; but it has no right over a process outside, whoever's that is.
bool enter_user_namespace() {
  const std::uint32_t user = geteuid(), group = getegid();
  if (unshare(CLONE_NEWUSER) != 0) return false;
  write_text("/proc/self/setgroups", "deny");
  return write_text("/proc/self/uid_map", fmt::format("{0} {0} 1", user)) &&
         write_text("/proc/self/gid_map", fmt::format("{0} {0} 1", group));
}

// ---- what it can read

// Links are not followed later: here are both, the link and where it leads to.
void add(const fs::path& path, std::vector<fs::path>& paths) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  paths.push_back(path);
  if (!error && real != path) paths.push_back(real);
}

void add_configured(const fs::path& file, std::vector<fs::path>& folders) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('/')) add(line.substr(0, line.find_last_not_of(" \t\r") + 1), folders);
  }
}

// Where the loader looks.
std::vector<fs::path> system_libraries() {
  std::vector<fs::path> paths{"/lib",       "/lib32",         "/lib64",           "/usr/lib",        "/usr/lib32",
                              "/usr/lib64", "/usr/local/lib", "/usr/local/lib64", "/etc/ld.so.cache"};
  add_configured("/etc/ld.so.conf", paths);
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator("/etc/ld.so.conf.d", ignored)) add_configured(file.path(), paths);
  return paths;
}

// The library, and those beside it that it may need. A link there leads to what lies there as well, or to what is none
// of the plugin's business.
void add_library(const fs::path& library, std::vector<fs::path>& paths) {
  add(library, paths);
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(library.parent_path(), ignored)) {
    const std::string name = file.path().filename().string();
    if (name.ends_with(".so") || name.find(".so.") != std::string::npos) paths.push_back(file.path());
  }
}

std::vector<fs::path> readable(const fs::path& library) {
  std::vector<fs::path> paths = system_libraries();
  add_library(library, paths);
  return paths;
}

// ---- both, in the order that each needs

std::uint32_t leave_user(const Rights& rights, bool may_become) {
  if (may_become && become_another(rights)) return kConfinedByUser;
  const bool may_enter = (rights.without & kConfinedByUserNamespace) == 0;
  return may_enter && enter_user_namespace() ? std::uint32_t{kConfinedByUserNamespace} : 0;
}

std::uint32_t leave_files(const Rights& rights, const std::vector<fs::path>& paths) {
  if ((rights.without & kConfinedByMounts) != 0) return 0;
  return enter_own_tree(paths, rights.library_fd) ? std::uint32_t{kConfinedByMounts} : 0;
}

// A tree needs the rights that becoming another takes away, and that a user namespace brings.
std::uint32_t leave_user_and_files(const Rights& rights) {
  const std::vector<fs::path> paths = readable(rights.library);
  const bool landlock = (rights.without & kConfinedByLandlock) == 0 && has_landlock();
  const bool may_become = (rights.without & kConfinedByUser) == 0 && can_become_another();
  std::uint32_t bits = !landlock && may_become ? leave_files(rights, paths) : 0;
  bits |= leave_user(rights, may_become);
  if (!landlock && !may_become) bits |= leave_files(rights, paths);
  drop_capabilities();
  return landlock && read_only_below(paths) ? bits | kConfinedByLandlock : bits;
}

}  // namespace

Result<std::uint32_t> die_with(int parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return failed("PR_SET_PDEATHSIG");
  // It may have died before that.
  if (getppid() != parent) return fail(ErrorCode::kUnavailable, "the service that started this worker is gone");
  return std::uint32_t{kConfinedByParent};
}

Result<std::uint32_t> limit_memory() {
  if (kSanitized) return 0u;
  const bool limited = limit(RLIMIT_AS, mapped_bytes() + kWorkerMemoryBytes) && limit(RLIMIT_DATA, kWorkerMemoryBytes);
  return limited ? Result<std::uint32_t>(std::uint32_t{kConfinedByLimits}) : failed("limiting memory");
}

Result<std::uint32_t> confine_early(const Rights& rights, int parent) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("PR_SET_NO_NEW_PRIVS");
  const std::uint32_t bits = kSanitized ? 0 : leave_user_and_files(rights);
  if (!kSanitized && prctl(PR_SET_DUMPABLE, 0) != 0) return failed("PR_SET_DUMPABLE");
  // Who becomes another has to say it again.
  const auto dies = die_with(parent);
  return dies ? Result<std::uint32_t>(bits | *dies | kConfinedByPrivileges) : dies;
}

Result<std::uint32_t> confine_loading(std::span<char> room) {
  const bool limited = limit(RLIMIT_CORE, 0) && limit(RLIMIT_NPROC, 0) && limit(RLIMIT_FSIZE, kOutputBytes) &&
                       limit(RLIMIT_NOFILE, kLoadingDescriptors);
  if (!limited) return failed("setrlimit");
  if (kSanitized) return 0u;
  const auto allowed = allow_loading(room);
  return allowed ? Result<std::uint32_t>(std::uint32_t{kConfinedBySeccomp}) : tl::unexpected(allowed.error());
}

Result<void> confine() {
  // A sanitizer says what it found on standard error, and asks the kernel through a pipe what is mapped.
  if (close_range(kSanitized ? STDERR_FILENO + 1 : 0, UINT_MAX, 0) != 0) return failed("close_range");
  if (kSanitized) return {};
  return limit(RLIMIT_NOFILE, 0) ? allow_computing() : failed("setrlimit");
}

}  // namespace emplace
