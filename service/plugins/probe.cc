#include "service/plugins/probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <optional>

extern char** environ;

// glibc 2.36 declares its functions without C linkage.
extern "C" {
#include <sys/pidfd.h>
}

#include "service/process/program.h"

namespace emplace {
namespace {

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  void reset() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

struct Child {
  pid_t pid = -1;
  Fd ended;   // readable when it is over
  Fd output;  // its standard output and error
};

Error failed(const char* what) { return {ErrorCode::kUnavailable, fmt::format("{}: {}", what, std::strerror(errno))}; }

// A file of its own memory: the child reads it from the start whatever its size, and nothing has to be fed.
Result<Fd> memory_file(const std::string& text) {
  Fd fd(memfd_create("configuration", MFD_CLOEXEC));
  if (fd.get() < 0 || write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      lseek(fd.get(), 0, SEEK_SET) != 0) {
    return tl::unexpected(failed("memfd"));
  }
  return fd;
}

// A session may have blocked signals for itself; the child starts with none blocked.
int spawn(const Prober& prober, const Manifest& manifest, int input, int output, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::string program = prober.program.string(), file = manifest.file.string(), library = manifest.library.string();
  char* arguments[] = {program.data(), file.data(), library.data(), nullptr};
  const int status = posix_spawn(&pid, program.c_str(), &actions, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return status;
}

Result<Child> start(const Prober& prober, const Manifest& manifest, const std::string& configuration) {
  const auto input = memory_file(configuration);
  if (!input) return tl::unexpected(input.error());
  std::array<int, 2> pipe_ends{};
  if (pipe2(pipe_ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return tl::unexpected(failed("pipe"));
  Child child{-1, Fd(), Fd(pipe_ends[0])};
  const Fd output(pipe_ends[1]);
  errno = spawn(prober, manifest, input->get(), output.get(), child.pid);
  if (errno != 0) return tl::unexpected(failed(prober.program.c_str()));
  return Child{child.pid, Fd(pidfd_open(child.pid, 0)), std::move(child.output)};
}

void drain(int fd, std::string& text) {
  std::array<char, 4096> buffer;
  for (ssize_t got = 0; (got = read(fd, buffer.data(), buffer.size())) > 0;) {
    // Only the end is of interest; a plugin that writes without end must not fill our memory.
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > 65536) text.erase(0, text.size() - 16384);
  }
}

// Whether the child ended by itself in time.
bool wait_for(const Child& child, std::int64_t timeout_ms, std::string& output) {
  using std::chrono::steady_clock;
  const auto until = steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_clock::now()).count();
    if (left < 0) return false;
    std::array<pollfd, 2> waits{{{child.ended.get(), POLLIN, 0}, {child.output.get(), POLLIN, 0}}};
    poll(waits.data(), waits[1].fd >= 0 ? 2 : 1, static_cast<int>(left) + 1);
    drain(child.output.get(), output);
    if (waits[0].revents != 0) return true;
    // The output was closed but the child lives: wait for its end only, not in a busy loop.
    if ((waits[1].revents & (POLLHUP | POLLERR)) != 0) {
      pollfd end{child.ended.get(), POLLIN, 0};
      return poll(&end, 1, static_cast<int>(left) + 1) > 0;
    }
  }
}

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const std::size_t line = text.rfind('\n');
  if (line != std::string::npos) text.erase(0, line + 1);
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return text.substr(0, 1200);
}

tl::unexpected<Error> refuse(const Manifest& manifest, const std::string& why, const std::string& output) {
  const std::string said = last_line(output);
  return fail(ErrorCode::kInvalid, fmt::format("plugin {} ({}): {}{}{}", manifest.id, manifest.library.string(), why,
                                               said.empty() ? "" : ": ", said));
}

Result<void> judge(const Manifest& manifest, int status, const std::string& output) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && last_line(output) == kProbeDone) return {};
  // The probe's own words name plugin and library already.
  if (WIFEXITED(status) && WEXITSTATUS(status) == 2) return fail(ErrorCode::kInvalid, last_line(output));
  if (WIFSIGNALED(status)) {
    return refuse(manifest,
                  fmt::format("crashed with signal {} ({}) while it was tried out", WTERMSIG(status),
                              strsignal(WTERMSIG(status))),
                  output);
  }
  return refuse(manifest, fmt::format("ended the process with code {} while it was tried out", WEXITSTATUS(status)),
                output);
}

}  // namespace

Result<void> probe(const Prober& prober, const Manifest& manifest, const std::string& configuration) {
  const auto child = start(prober, manifest, configuration);
  if (!child) return tl::unexpected(child.error());
  std::string output;
  const bool ended = wait_for(*child, prober.timeout_ms, output);
  if (!ended) kill(child->pid, SIGKILL);
  int status = 0;
  while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended)
    return refuse(manifest, fmt::format("did not return within {} ms while it was tried out", prober.timeout_ms), {});
  return judge(manifest, status, output);
}

std::filesystem::path default_probe_program() { return program_directory() / "emplace-plugin-probe"; }

}  // namespace emplace
