// Arena: the one piece of shared memory that all chunks of all pictures lie in. It is a sparse memfd of fixed size,
// sealed against growing, shrinking and any further writable mapping, so that a worker process can map it read-only and
// nothing it does reaches us; a forked child does not have our own mapping. Blocks are 64-byte aligned powers of two of
// at least 64 bytes; a freed block is reused, never given back to the kernel (a hole can't be punched after the seal).
//
// Threads: any thread may allocate and free. Freeing never waits (a lock-free push), so a reader that drops the last
// reference to an old picture is not held up; allocating takes a short lock.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "service/core/base/result.h"

namespace emplace {

class Arena : public std::enable_shared_from_this<Arena> {
 public:
  static constexpr std::uint64_t kDefaultBytes = std::uint64_t{16} << 30;

  // The memory is only reserved: pages come into being when first written.
  static Result<std::shared_ptr<Arena>> create(std::uint64_t bytes = kDefaultBytes);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Uninitialised memory that returns to the arena with the last reference. Throws std::bad_alloc when the arena is
  // full.
  std::shared_ptr<std::byte> allocate(std::size_t bytes);

  int fd() const { return fd_; }  // for a worker to inherit and map PROT_READ
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t bytes_in_use() const { return in_use_.load(std::memory_order_relaxed); }
  std::uint64_t next_identity() { return identities_.fetch_add(1, std::memory_order_relaxed) + 1; }  // of pictures
  const std::byte* base() const { return base_; }
  std::uint64_t offset_of(const std::byte* address) const { return static_cast<std::uint64_t>(address - base_); }

 private:
  static constexpr std::size_t kClasses = 35;  // 2^0 .. 2^34 bytes
  Arena(int fd, std::byte* base, std::uint64_t bytes) : fd_(fd), base_(base), bytes_(bytes) {}
  void release(std::byte* address, std::size_t size_class);

  const int fd_;
  std::byte* const base_;
  const std::uint64_t bytes_;
  std::mutex mutex_;                                          // guards next_ and taken_
  std::uint64_t next_ = 0;                                    // first byte never handed out
  std::array<std::byte*, kClasses> taken_{};                  // free blocks, linked through their first bytes
  std::array<std::atomic<std::byte*>, kClasses> returned_{};  // freed since, pushed without a lock
  std::atomic<std::uint64_t> in_use_{0};
  std::atomic<std::uint64_t> identities_{0};
};

}  // namespace emplace
