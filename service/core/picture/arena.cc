#include "service/core/picture/arena.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <new>

namespace emplace {
namespace {

constexpr std::size_t kSmallestClass = 6;  // 64 bytes: the alignment

std::size_t class_of(std::size_t bytes) {
  const auto width = static_cast<std::size_t>(std::bit_width(bytes == 0 ? 0 : bytes - 1));
  return width < kSmallestClass ? kSmallestClass : width;
}

std::byte* next_of(const std::byte* block) {
  std::byte* next = nullptr;
  std::memcpy(&next, block, sizeof next);
  return next;
}

}  // namespace

Result<std::shared_ptr<Arena>> Arena::create(std::uint64_t bytes) {
  const int fd = memfd_create("emplace-picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return fail(ErrorCode::kUnavailable, fmt::format("memfd_create: {}", std::strerror(errno)));
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
    const int error = errno;
    close(fd);
    return fail(ErrorCode::kUnavailable, fmt::format("shared memory of {} bytes: {}", bytes, std::strerror(error)));
  }
  void* const base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  if (base == MAP_FAILED) {
    const int error = errno;
    close(fd);
    return fail(ErrorCode::kUnavailable, fmt::format("mapping {} bytes: {}", bytes, std::strerror(error)));
  }
  // A forked child that has not become another program yet must not write here either.
  madvise(base, bytes, MADV_DONTFORK);
  // After this seal only the mapping above can write; whoever inherits the descriptor can only read.
  if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    const int error = errno;
    munmap(base, bytes);
    close(fd);
    return fail(ErrorCode::kUnavailable, fmt::format("sealing the shared memory: {}", std::strerror(error)));
  }
  return std::shared_ptr<Arena>(new Arena(fd, static_cast<std::byte*>(base), bytes));
}

Arena::~Arena() {
  munmap(base_, bytes_);
  close(fd_);
}

std::shared_ptr<std::byte> Arena::allocate(std::size_t bytes) {
  if (bytes > bytes_) throw std::bad_alloc();
  const std::size_t size_class = class_of(bytes);
  std::byte* block = nullptr;
  {
    const std::lock_guard lock(mutex_);
    auto& taken = taken_[size_class];
    if (taken == nullptr) taken = returned_[size_class].exchange(nullptr, std::memory_order_acquire);
    if (taken != nullptr) {
      block = taken;
      taken = next_of(block);
    } else {
      const std::uint64_t size = std::uint64_t{1} << size_class;
      if (size > bytes_ - next_) throw std::bad_alloc();
      block = base_ + next_;
      next_ += size;
    }
  }
  in_use_.fetch_add(std::uint64_t{1} << size_class, std::memory_order_relaxed);
  return {block, [arena = shared_from_this(), size_class](std::byte* address) { arena->release(address, size_class); }};
}

void Arena::release(std::byte* address, std::size_t size_class) {
  in_use_.fetch_sub(std::uint64_t{1} << size_class, std::memory_order_relaxed);
  // Only whole lists are ever taken off (exchange above), so this push has no ABA problem.
  auto& head = returned_[size_class];
  std::byte* next = head.load(std::memory_order_relaxed);
  do {
    std::memcpy(address, &next, sizeof next);
  } while (!head.compare_exchange_weak(next, address, std::memory_order_release, std::memory_order_relaxed));
}

}  // namespace emplace
