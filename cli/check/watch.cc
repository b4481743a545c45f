#include "cli/check/watch.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "service/core/base/utf8.h"

namespace emplace::check {

struct Watch::Shared {
  std::atomic<std::int64_t> called_us;  // 0: nothing is called
  std::atomic<std::uint32_t> finished;
  std::uint32_t length;
  char forbidden[32];
  char call[512];
  char text[kBytes - 560];
};

namespace {

std::int64_t now_us() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

// One finding a line, its kind first.
void add_line(std::string& text, char kind, std::string line) {
  std::ranges::replace_if(
      line, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  text += kind + to_utf8(line, 4096) + '\n';
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

Result<Watch> Watch::inherit(int fd) { return map(fd); }

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
  shared_->called_us = now_us();
}

void Watch::leave() { shared_->called_us = 0; }

std::span<char> Watch::forbidden_room() const { return shared_->forbidden; }

void Watch::finish(const Findings& findings) {
  std::string text = fmt::format("c{}\nd{}\n", findings.fault_count(), findings.digest());
  if (!findings.skipped().empty()) add_line(text, 's', findings.skipped());
  for (const std::string& fault : findings.faults()) add_line(text, 'f', fault);
  for (const std::string& note : findings.notes()) add_line(text, 'n', note);
  for (const std::string& what : findings.unexercised()) add_line(text, 'u', what);
  shared_->length = static_cast<std::uint32_t>(std::min(text.size(), sizeof shared_->text));
  std::memcpy(shared_->text, text.data(), shared_->length);
  shared_->finished = 1;
}

std::string Watch::last_call() const { return to_utf8({shared_->call, strnlen(shared_->call, sizeof shared_->call)}); }

std::string Watch::forbidden_call() const {
  return to_utf8({shared_->forbidden, strnlen(shared_->forbidden, sizeof shared_->forbidden)});
}

bool Watch::call_hangs() const {
  const std::int64_t called_us = shared_->called_us;
  return called_us != 0 && now_us() - called_us > kLongestCallS * std::int64_t{1'000'000};
}

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
    if (text[at] == 'u') found.not_exercised(line);
  }
  if (count > found.fault_count()) found.note(fmt::format("{} more faults like these", count - found.fault_count()));
  return found;
}

}  // namespace emplace::check
