#include "service/plugins/exchange.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>

#include "service/core/base/utf8.h"

namespace emplace {
namespace {

using std::chrono::steady_clock;

// How long each side looks before it sleeps; bench/worker_bench.cc has the figures behind it.
constexpr std::chrono::microseconds kServiceSpin{50};
constexpr std::chrono::microseconds kWorkerSpin{20};

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

template <typename Done>
bool spin(std::chrono::microseconds most, Done&& done) {
  const auto until = steady_clock::now() + most;
  do {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      relax();
    }
  } while (steady_clock::now() < until);
  return false;
}

// Not the private kind: the word lies in memory that two processes share.
void sleep_while(std::atomic<std::uint32_t>& word, std::uint32_t value, const timespec* most) {
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAIT, value, most, nullptr, 0);
}
void wake(std::atomic<std::uint32_t>& word) {
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

tl::unexpected<Error> failed(const char* what) {
  return fail(ErrorCode::kUnavailable, fmt::format("{}: {}", what, std::strerror(errno)));
}

}  // namespace

Result<std::byte*> Exchange::map_memory(int fd) {
  void* const base = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (base == MAP_FAILED) return failed("mapping a worker's exchange");
  return static_cast<std::byte*>(base);
}

Result<std::unique_ptr<Exchange>> Exchange::create() {
  const int fd = memfd_create("emplace-exchange", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return failed("memfd_create");
  const bool sealed = ftruncate(fd, static_cast<off_t>(kBytes)) == 0 &&
                      fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0;
  const auto base = sealed ? map_memory(fd) : Result<std::byte*>(failed("sizing a worker's exchange"));
  if (!base) {
    close(fd);
    return tl::unexpected(base.error());
  }
  madvise(*base, kBytes, MADV_DONTFORK);
  return std::unique_ptr<Exchange>(new Exchange(fd, *base));
}

Result<std::unique_ptr<Exchange>> Exchange::map(int fd) {
  const auto base = map_memory(fd);
  if (!base) return tl::unexpected(base.error());
  return std::unique_ptr<Exchange>(new Exchange(-1, *base));
}

Exchange::~Exchange() {
  munmap(base_, kBytes);
  if (fd_ >= 0) close(fd_);
}

// ---- the service's side

void Exchange::ask() {
  control().question.store(++asked_, std::memory_order_seq_cst);
  if (control().sleeping_worker.load(std::memory_order_seq_cst) != 0) wake(control().question);
}

bool Exchange::answered(std::chrono::microseconds patience) {
  std::atomic<std::uint32_t>& word = control().answer;
  const auto done = [&] { return word.load(std::memory_order_acquire) == asked_; };
  if (spin(std::min(patience, kServiceSpin), done)) return true;
  const std::uint32_t found = word.load(std::memory_order_seq_cst);
  if (found == asked_) return true;
  // After the look at the word: an interruption since then has changed it, and nobody sleeps on a changed word.
  if (interrupted_.load(std::memory_order_seq_cst)) return false;
  control().sleeping_service.store(1, std::memory_order_seq_cst);
  const auto us = std::max<std::int64_t>(patience.count(), 0);
  const timespec most{static_cast<time_t>(us / 1'000'000), static_cast<long>(us % 1'000'000 * 1000)};
  sleep_while(word, found, &most);
  control().sleeping_service.store(0, std::memory_order_relaxed);
  return done();
}

void Exchange::interrupt() {
  interrupted_.store(true, std::memory_order_seq_cst);
  // Any value but the one that is waited for.
  control().answer.fetch_add(0x40000000u, std::memory_order_seq_cst);
  wake(control().answer);
}

std::string Exchange::forbidden_call() const {
  char name[sizeof control().forbidden_call];
  std::memcpy(name, control().forbidden_call, sizeof name);
  return to_utf8({name, strnlen(name, sizeof name)});
}

// ---- the worker's side

void Exchange::wait_for_question() {
  std::atomic<std::uint32_t>& word = control().question;
  const auto there = [&] { return word.load(std::memory_order_acquire) != seen_; };
  if (!spin(kWorkerSpin, there)) {
    control().sleeping_worker.store(1, std::memory_order_seq_cst);
    while (word.load(std::memory_order_seq_cst) == seen_) sleep_while(word, seen_, nullptr);
    control().sleeping_worker.store(0, std::memory_order_relaxed);
  }
  seen_ = word.load(std::memory_order_acquire);
}

void Exchange::answer() {
  control().answer.store(seen_, std::memory_order_seq_cst);
  if (control().sleeping_service.load(std::memory_order_seq_cst) != 0) wake(control().answer);
}

}  // namespace emplace
