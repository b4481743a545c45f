#include "service/core/picture/arena.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <new>
#include <set>
#include <thread>
#include <vector>

namespace emplace {
namespace {

constexpr std::uint64_t kBytes = std::uint64_t{64} << 20;

std::uint64_t address_of(const std::shared_ptr<std::byte>& block) {
  return reinterpret_cast<std::uint64_t>(block.get());
}

TEST(Arena, AlignsBlocksTo64Bytes) {
  const auto arena = Arena::create(kBytes).value();
  std::vector<std::shared_ptr<std::byte>> blocks;
  for (const std::size_t bytes : {0, 1, 63, 64, 65, 100, 4096, 16'388, 32'768, 100'000}) {
    blocks.push_back(arena->allocate(bytes));
    EXPECT_EQ(address_of(blocks.back()) % 64, 0u) << bytes;
    std::memset(blocks.back().get(), 0xaa, bytes);
  }
}

TEST(Arena, CountsBytesInUseByBlocks) {
  const auto arena = Arena::create(kBytes).value();
  EXPECT_EQ(arena->bytes_in_use(), 0u);
  auto one = arena->allocate(1);
  auto other = arena->allocate(65);
  EXPECT_EQ(arena->bytes_in_use(), 64u + 128u);
  one.reset();
  EXPECT_EQ(arena->bytes_in_use(), 128u);
}

TEST(Arena, ReusesFreedBlocksOfOneSize) {
  const auto arena = Arena::create(kBytes).value();
  std::set<std::uint64_t> addresses;
  for (int i = 0; i < 1000; ++i) {
    const auto a = arena->allocate(4096);
    const auto b = arena->allocate(3000);
    addresses.insert(address_of(a));
    addresses.insert(address_of(b));
  }
  EXPECT_EQ(addresses.size(), 2u);
}

TEST(Arena, ThrowsWhenFullAndGoesOnWhenThereIsRoomAgain) {
  const auto arena = Arena::create(1 << 20).value();
  std::vector<std::shared_ptr<std::byte>> blocks;
  for (int i = 0; i < 16; ++i) blocks.push_back(arena->allocate(1 << 16));
  EXPECT_THROW(arena->allocate(1), std::bad_alloc);
  blocks.pop_back();
  EXPECT_NO_THROW(blocks.push_back(arena->allocate(1 << 16)));
  EXPECT_THROW(arena->allocate(SIZE_MAX), std::bad_alloc);
  EXPECT_THROW(arena->allocate((std::size_t{1} << 34) + 1), std::bad_alloc);
}

TEST(Arena, LivesAsLongAsItsBlocks) {
  auto arena = Arena::create(kBytes).value();
  const std::weak_ptr<Arena> seen = arena;
  auto block = arena->allocate(100);
  arena.reset();
  std::memset(block.get(), 1, 100);
  EXPECT_FALSE(seen.expired());
  block.reset();
  EXPECT_TRUE(seen.expired());
}

TEST(Arena, LetsNobodyElseMapItWritable) {
  const auto arena = Arena::create(kBytes).value();
  EXPECT_EQ(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, arena->fd(), 0), MAP_FAILED);
  EXPECT_LT(pwrite(arena->fd(), "x", 1, 0), 0);
  EXPECT_NE(ftruncate(arena->fd(), 0), 0);
  EXPECT_NE(ftruncate(arena->fd(), static_cast<off_t>(2 * kBytes)), 0);

  const auto block = arena->allocate(64);
  std::memset(block.get(), 7, 64);
  void* const view = mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, arena->fd(), 0);
  ASSERT_NE(view, MAP_FAILED);
  EXPECT_NE(mprotect(view, kBytes, PROT_READ | PROT_WRITE), 0);
  EXPECT_EQ(std::memcmp(static_cast<const std::byte*>(view) + arena->offset_of(block.get()), block.get(), 64), 0);
  munmap(view, kBytes);
}

TEST(Arena, TakesUpOnlyWhatWasWritten) {
  const auto arena = Arena::create().value();
  EXPECT_EQ(arena->bytes(), Arena::kDefaultBytes);
  const auto block = arena->allocate(1 << 16);
  std::memset(block.get(), 1, 1 << 16);
  struct stat status {};
  ASSERT_EQ(fstat(arena->fd(), &status), 0);
  EXPECT_LE(status.st_blocks * 512, 4 << 20);
}

TEST(Arena, RefusesASizeThatCannotBe) {
  EXPECT_FALSE(Arena::create(0));
  EXPECT_FALSE(Arena::create(UINT64_MAX));
}

TEST(Arena, NumbersIdentitiesOnce) {
  const auto arena = Arena::create(kBytes).value();
  EXPECT_NE(arena->next_identity(), arena->next_identity());
  EXPECT_NE(arena->next_identity(), 0u);
}

// Each block is written by one thread and freed by the other; a block that two owners had at once would show.
TEST(Arena, IsSharedByThreads) {
  const auto arena = Arena::create(kBytes).value();
  const auto work = [&](unsigned char mark) {
    std::vector<std::shared_ptr<std::byte>> held;
    bool good = true;
    for (std::size_t i = 0; i < 20'000; ++i) {
      const std::size_t bytes = 64u << (i % 4);
      auto block = arena->allocate(bytes);
      std::memset(block.get(), mark, bytes);
      held.push_back(block);
      if (held.size() < 16) continue;
      const auto& old = held[i % 16];
      good = good && std::to_integer<unsigned char>(old.get()[63]) == mark;
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(i % 16));
    }
    return good;
  };
  bool good[3] = {};
  std::vector<std::thread> threads;
  for (unsigned char t = 0; t < 3; ++t) threads.emplace_back([&, t] { good[t] = work(t); });
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(good[0] && good[1] && good[2]);
  EXPECT_EQ(arena->bytes_in_use(), 0u);
}

}  // namespace
}  // namespace emplace
