#include "cli/check/watch.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace emplace::check {

struct Watch::Shared {
  volatile std::uint32_t hung;
  volatile std::uint32_t finished;
  std::uint32_t length;
  char call[512];
  char text[kBytes - 524];
};

namespace {

// A signal handler can reach only what is static.
volatile std::uint32_t* hung_flag = nullptr;

void end_hung(int) {
  if (hung_flag) *hung_flag = 1;
  _exit(3);
}

void set_timer(int seconds) {
  const itimerval timer{{0, 0}, {seconds, 0}};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

// One finding a line, its kind first.
void add_line(std::string& text, char kind, std::string line) {
  std::ranges::replace_if(
      line, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  text += kind + line.substr(0, 4096) + '\n';
}

Error failed(const char* what) { return {ErrorCode::kInternal, fmt::format("{}: {}", what, std::strerror(errno))}; }

}  // namespace

Result<Watch> Watch::map(int fd) {
  static_assert(sizeof(Shared) == kBytes);
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return tl::unexpected(failed("mmap"));
  return Watch(fd, static_cast<Shared*>(memory));
}

Result<Watch> Watch::create() {
  const int fd = memfd_create("watch", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, kBytes) != 0) return tl::unexpected(failed("memfd"));
  return map(fd);
}

Result<Watch> Watch::inherit(int fd) {
  auto watch = map(fd);
  if (!watch) return watch;
  hung_flag = &watch->shared_->hung;
  signal(SIGALRM, end_hung);
  return watch;
}

Watch::Watch(Watch&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), shared_(std::exchange(other.shared_, nullptr)) {}

Watch::~Watch() {
  if (shared_) munmap(shared_, kBytes);
  if (fd_ >= 0) close(fd_);
}

void Watch::enter(std::string_view what) {
  const std::size_t length = std::min(what.size(), sizeof shared_->call - 1);
  std::memcpy(shared_->call, what.data(), length);
  shared_->call[length] = 0;
  set_timer(kLongestCallS);
}

void Watch::leave() { set_timer(0); }

void Watch::finish(const Findings& findings) {
  std::string text = fmt::format("c{}\nd{}\n", findings.fault_count(), findings.digest());
  if (!findings.skipped().empty()) add_line(text, 's', findings.skipped());
  for (const std::string& fault : findings.faults()) add_line(text, 'f', fault);
  for (const std::string& note : findings.notes()) add_line(text, 'n', note);
  shared_->length = static_cast<std::uint32_t>(std::min(text.size(), sizeof shared_->text));
  std::memcpy(shared_->text, text.data(), shared_->length);
  shared_->finished = 1;
}

std::string Watch::last_call() const { return {shared_->call, strnlen(shared_->call, sizeof shared_->call)}; }

bool Watch::call_hung() const { return shared_->hung != 0; }

std::optional<Findings> Watch::findings() const {
  if (shared_->finished == 0) return std::nullopt;
  Findings found;
  std::size_t count = 0;
  const std::string text(shared_->text, std::min<std::size_t>(shared_->length, sizeof shared_->text));
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = text.substr(at + 1, end - at - 1);
    if (text[at] == 'c') count = std::strtoull(line.c_str(), nullptr, 10);
    if (text[at] == 'd') found.digest(std::strtoull(line.c_str(), nullptr, 10));
    if (text[at] == 's') found.skip(line);
    if (text[at] == 'f') found.fault(line);
    if (text[at] == 'n') found.note(line);
  }
  if (count > found.fault_count()) found.note(fmt::format("{} more faults like these", count - found.fault_count()));
  return found;
}

}  // namespace emplace::check
