// A plugin that does what no plugin may, before anybody has asked it anything: in a constructor of its library, as the
// name of its file says (libemplace_hostile_DEED.so), or in create(), as its configuration says. When the deed bore
// fruit, create() fails and says so. None does harm where it is not prevented.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>

#include "emplace/plugin.h"

extern char** environ;

namespace {

bool reads(const char* path) { return open(path, O_RDONLY) >= 0; }

void* stay(void*) {
  while (true) pause();
}

// One that is not the library, standard error or what nobody can use.
bool has_descriptor() {
  for (int fd = 3; fd < 64; ++fd) {
    if (fd != 5 && fcntl(fd, F_GETFD) >= 0) return true;
  }
  return false;
}

bool starts_thread() {
  pthread_t thread;
  return pthread_create(&thread, nullptr, stay, nullptr) == 0;
}

bool takes_signal() {
  struct sigaction action {};
  action.sa_handler = SIG_IGN;
  return sigaction(SIGSYS, &action, nullptr) == 0;
}

bool peeks(pid_t pid) {
  char byte = 0;
  const iovec here{&byte, 1}, there{environ, 1};
  return process_vm_readv(pid, &here, 1, &there, 1, 0) == 1;
}

bool forks() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  return child > 0;
}

// Whether it bore fruit.
bool done(std::string_view deed) {
  if (deed == "shadow") return reads("/etc/shadow");
  if (deed == "passwd") return reads("/etc/passwd");
  if (deed == "token") return reads(EMPLACE_TEST_TOKEN);
  if (deed == "environ_file") return reads("/proc/self/environ");
  if (deed == "memory_file") return reads("/proc/self/mem");
  if (deed == "environment") return environ && *environ;
  if (deed == "descriptors") return has_descriptor();
  if (deed == "dumpable") return prctl(PR_SET_DUMPABLE, 1) == 0;
  if (deed == "signal") return takes_signal();
  if (deed == "root") return getuid() == 0;
  if (deed == "write") return open(EMPLACE_TEST_TOKEN ".written", O_WRONLY | O_CREAT, 0600) >= 0;
  if (deed == "memfd") return memfd_create("x", 0) >= 0;
  if (deed == "socket") return socket(AF_INET, SOCK_STREAM, 0) >= 0;
  if (deed == "thread") return starts_thread();
  if (deed == "fork") return forks();
  if (deed == "exec") return execl("/bin/true", "true", nullptr) == 0;
  if (deed == "ptrace") return ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0;
  if (deed == "parent") return getppid() > 0;
  if (deed == "peek") return peeks(1);
  if (deed == "kill") return kill(1, 0) == 0;
  if (deed == "io_uring") return syscall(SYS_io_uring_setup, 1, nullptr) >= 0;
  if (deed == "setuid") return setuid(0) == 0;
  if (deed == "unshare") return syscall(SYS_unshare, 0x10000000) == 0;
  return false;
}

// Empty: it was loaded from a copy of another name, or is to do its deed later.
std::string_view deed_of_file() {
  constexpr std::string_view kBefore = "libemplace_hostile_", kAfter = ".so";
  Dl_info found{};
  dladdr(reinterpret_cast<const void*>(&done), &found);
  const std::string_view path(found.dli_fname);
  const std::size_t at = path.find(kBefore);
  if (at == std::string_view::npos) return {};
  return path.substr(at + kBefore.size(), path.size() - at - kBefore.size() - kAfter.size());
}

const bool fruitful = done(deed_of_file());

std::int32_t create(const emplace_configuration* configuration, void** instance, emplace_error* error) {
  static int nothing;
  *instance = &nothing;
  const std::string_view json(configuration->json, configuration->json_bytes);
  const std::size_t from = json.find("\"deed\":\"") + std::strlen("\"deed\":\"");
  const std::string_view deed = json.substr(from, json.find('"', from) - from);
  const bool none = deed.empty() && deed_of_file().empty();
  if (!none && !fruitful && !done(deed)) return EMPLACE_OK;
  std::strcpy(error->message, none ? "no deed was tried" : "the deed bore fruit");
  return EMPLACE_FAILED;
}

std::int32_t screen(void*, const emplace_call* call, emplace_verdicts* verdicts, emplace_error*) {
  std::memset(verdicts->keep, 0xff, (call->candidate_count + 63) / 64 * 8);
  verdicts->count = call->candidate_count;
  return EMPLACE_OK;
}
std::int32_t explain(void*, const emplace_call*, std::uint32_t, std::uint8_t, emplace_refusal*, emplace_error*) {
  return EMPLACE_OK;
}
const emplace_filter kFilter{sizeof(emplace_filter), 0, nullptr, screen, explain};

const void* get_extension(void*, const char*, const char*) { return &kFilter; }
void destroy(void*) {}

}  // namespace

extern "C" EMPLACE_PLUGIN_EXPORT const emplace_entry emplace_plugin_entry = {
    sizeof(emplace_entry), EMPLACE_ABI_MAJOR, EMPLACE_ABI_MINOR, 0, "hostile", "1.0.0", create, get_extension, destroy};
