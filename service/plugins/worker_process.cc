#include "service/plugins/worker_process.h"

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
#include <cerrno>
#include <cstring>
#include <vector>

#include "service/core/base/utf8.h"
#include "service/plugins/questions.h"
#include "service/process/program.h"

// glibc 2.36 declares its functions without C linkage.
extern "C" {
#include <sys/pidfd.h>
}

namespace emplace {
namespace {

using std::chrono::steady_clock;

tl::unexpected<Error> failed(const std::string& what, int error) {
  return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", what, std::strerror(error)));
}

// The child's descriptors. Each is first copied out of the way, so that none is overwritten before it was handed over.
class Inheritance {
 public:
  Inheritance() { posix_spawn_file_actions_init(&actions_); }
  ~Inheritance() {
    posix_spawn_file_actions_destroy(&actions_);
    for (const int fd : copies_) close(fd);
  }
  Inheritance(const Inheritance&) = delete;
  Inheritance& operator=(const Inheritance&) = delete;

  void add(int fd, int as) {
    constexpr int kOutOfTheWay = 64;
    copies_.push_back(fcntl(fd, F_DUPFD_CLOEXEC, kOutOfTheWay));
    if (copies_.back() < 0 || posix_spawn_file_actions_adddup2(&actions_, copies_.back(), as) != 0) good_ = false;
  }
  void add_nothing(int as) {
    if (posix_spawn_file_actions_addopen(&actions_, as, "/dev/null", O_RDWR, 0) != 0) good_ = false;
  }
  bool good() const { return good_; }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
  std::vector<int> copies_;
  bool good_ = true;
};

int spawn(const std::vector<std::string>& arguments, const Inheritance& inheritance, pid_t& pid) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  // A group of its own: Ctrl-C in a terminal is the service's business, which ends its workers itself.
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  // Nothing of what the service's environment says is the plugin's business.
  char* nothing[] = {nullptr};
  const int error =
      posix_spawn(&pid, arguments[0].c_str(), inheritance.actions(), &attributes, pointers.data(), nothing);
  posix_spawnattr_destroy(&attributes);
  return error;
}

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const WorkerSettings& settings, const Arena& annex,
                                                            int library_fd) {
  auto exchange = Exchange::create();
  if (!exchange) return tl::unexpected(exchange.error());
  const int output = memfd_create("emplace-worker-output", MFD_CLOEXEC);
  if (output < 0) return failed("memfd_create", errno);
  Inheritance inheritance;
  inheritance.add_nothing(STDIN_FILENO);
  inheritance.add_nothing(STDOUT_FILENO);
  inheritance.add(output, STDERR_FILENO);
  inheritance.add((*exchange)->fd(), kExchangeFd);
  inheritance.add(annex.fd(), kAnnexFd);
  inheritance.add(library_fd, kLibraryFd);
  if (settings.pictures) inheritance.add(settings.pictures->fd(), kPicturesFd);
  pid_t pid = -1;
  const std::uint64_t picture_bytes = settings.pictures ? settings.pictures->bytes() : 0;
  std::vector<std::string> arguments{settings.program.string()};
  for (const std::uint64_t number :
       {static_cast<std::uint64_t>(getpid()), picture_bytes, annex.bytes(), std::uint64_t{settings.user},
        std::uint64_t{settings.group}, std::uint64_t{settings.without}}) {
    arguments.push_back(std::to_string(number));
  }
  const int error = inheritance.good() ? spawn(arguments, inheritance, pid) : EMFILE;
  const int pidfd = error == 0 ? pidfd_open(pid, 0) : -1;
  if (pidfd >= 0) {
    return std::unique_ptr<WorkerProcess>(new WorkerProcess(pid, pidfd, output, *std::move(exchange)));
  }
  const int why = error != 0 ? error : errno;
  close(output);
  if (error == 0) {
    ::kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  return failed(settings.program.string(), why);
}

WorkerProcess::WorkerProcess(int pid, int pidfd, int output, std::unique_ptr<Exchange> exchange)
    : pid_(pid), pidfd_(pidfd), output_(output), exchange_(std::move(exchange)) {}

WorkerProcess::~WorkerProcess() {
  if (!over_) {
    kill("the plugin is not needed any more");
    reap();
  }
  close(pidfd_);
  close(output_);
}

WorkerProcess::Outcome WorkerProcess::ask(Deadline deadline) {
  // The one in wait_for_end() interrupts at the end. While the plugin is loaded nobody waits there yet: hence slices.
  constexpr std::chrono::milliseconds kSlice{10};
  exchange_->ask();
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - steady_clock::now());
    if (exchange_->answered(std::min<std::chrono::microseconds>(left, kSlice))) return Outcome::kAnswered;
    if (has_ended()) return Outcome::kOver;
    if (left.count() <= 0) return Outcome::kLate;
  }
}

void WorkerProcess::kill(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (killed_for_.empty()) killed_for_ = why;
  }
  // By the descriptor: the number may belong to another process already.
  pidfd_send_signal(pidfd_, SIGKILL, nullptr, 0);
}

bool WorkerProcess::wait_for_end(int wake) {
  if (over_) return true;
  std::array<pollfd, 2> waits{{{pidfd_, POLLIN, 0}, {wake, POLLIN, 0}}};
  while (poll(waits.data(), waits.size(), -1) < 0 && errno == EINTR) {
  }
  if ((waits[0].revents & POLLIN) == 0) return false;
  reap();
  return true;
}

bool WorkerProcess::has_ended() {
  if (over_) return true;
  pollfd end{pidfd_, POLLIN, 0};
  if (poll(&end, 1, 0) <= 0) return false;
  reap();
  return true;
}

void WorkerProcess::reap() {
  const std::lock_guard lock(mutex_);
  if (over_) return;
  siginfo_t info{};
  while (waitid(P_PIDFD, static_cast<id_t>(pidfd_), &info, WEXITED) != 0 && errno == EINTR) {
  }
  ending_ = killed_for_.empty() ? describe(info.si_code, info.si_status) : killed_for_;
  over_ = true;
  exchange_->interrupt();
}

std::string WorkerProcess::ending() const {
  const std::lock_guard lock(mutex_);
  return ending_;
}

std::string WorkerProcess::describe(int code, int status) const {
  std::string said = last_words();
  if (!said.empty()) said = ": " + said;
  if (code == CLD_EXITED && status == kWorkerOutOfMemory) return "its worker ran out of the memory that it may use";
  if (code == CLD_EXITED && status == kWorkerForbiddenCall) {
    return "its worker was ended for a system call that plugins may not make: " + exchange_->forbidden_call();
  }
  if (code == CLD_EXITED) return fmt::format("its worker ended with code {}{}", status, said);
  return fmt::format("its worker died of signal {} ({}){}", status, strsignal(status), said);
}

std::string WorkerProcess::last_words() const {
  std::array<char, 1024> buffer;
  const off_t size = lseek(output_, 0, SEEK_END);
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(buffer.size()));
  const ssize_t got = pread(output_, buffer.data(), buffer.size(), from);
  std::string text(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  text.erase(0, text.rfind('\n') + 1);  // npos + 1 is 0
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return to_utf8(text);
}

std::filesystem::path default_worker_program() { return program_directory() / "emplace-worker"; }

}  // namespace emplace
