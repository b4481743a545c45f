// The affinity plugin's index shares what did not change: the memory that it takes to make a version is in proportion
// to the samples that came and went.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/plugin/asking.h"

namespace {

std::atomic<std::size_t> allocated{0};  // bytes that operator new has handed out

}  // namespace

// Plugins are not linked statically against the library of C++, so that these are theirs as well. Not inline, since the
// compiler would then see malloc() and delete, or new and free(), as pairs that do not match.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  allocated += bytes;
  if (void* const made = std::malloc(bytes)) return made;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* gone) noexcept { std::free(gone); }
[[gnu::noinline]] void operator delete(void* gone, std::size_t) noexcept { std::free(gone); }

namespace emplace {
namespace {

using asking::Asked;
using asking::host;
using asking::Loaded;
using asking::request;
using testing_rows::with_changes;

constexpr std::uint64_t kVms = 2000;
constexpr std::size_t kBytesForEach = 512;  // a page of a host's counters would be 4,096

std::string host_of(std::uint64_t vm) { return "h" + std::to_string(vm % 4); }

PageSampleRow sample(const std::string& vm) {
  PageSampleRow row;
  row.vm = vm;
  row.pages = row.distinct_pages = 1;
  row.hashes = {8};
  row.observed_at_us = 1;
  return row;
}

std::shared_ptr<const Picture> cluster() {
  std::vector<Change> changes{host("h0"), host("h1"), host("h2"), host("h3"), sample("new")};
  for (std::uint64_t vm = 0; vm < kVms; ++vm) {
    changes.emplace_back(asking::vm(vm, host_of(vm)));
    changes.emplace_back(sample("vm-" + std::to_string(vm)));
  }
  return with_changes(testing_rows::empty_picture(), changes);
}

// What it takes to show the plugin a picture.
std::size_t bytes_for(const Loaded& affinity, const Picture& picture) {
  const std::size_t before = allocated;
  affinity.plugins->observe(picture);
  return allocated - before;
}

std::vector<double> costs_of(const Loaded& affinity, const std::shared_ptr<const Picture>& picture) {
  return Asked(picture, request()).evaluate(affinity.objective("affinity.memory")).value().values;
}

TEST(AffinitySnapshots, TakeNoCopyOfTheCountersForEachVm) {
  const Loaded affinity("affinity", "{}", asking::settings(EMPLACE_BUILT_PLUGINS));
  const auto before = cluster();
  std::vector<Change> moves;
  for (std::uint64_t vm = 0; vm < kVms; ++vm) moves.emplace_back(asking::vm(vm, host_of(vm / 4)));
  const auto after = with_changes(before, moves);

  const std::size_t first = bytes_for(affinity, *before), next = bytes_for(affinity, *after);

  EXPECT_GT(first, kVms * sizeof(std::uint32_t)) << "else the plugin's allocations are not counted here";
  EXPECT_LT(first, kVms * kBytesForEach);
  EXPECT_LT(next, kVms * kBytesForEach);
  EXPECT_EQ(costs_of(affinity, before), std::vector<double>(4, 0.0));
  EXPECT_EQ(costs_of(affinity, after), std::vector<double>(4, 0.0));
}

}  // namespace
}  // namespace emplace
