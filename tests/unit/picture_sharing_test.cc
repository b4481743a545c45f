// What the whole design rests on: one writer that publishes as fast as it can, readers that never see half a change,
// and another process that reads a pinned version from the same memory while the rest of that memory is used again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "service/core/change/change.h"
#include "tests/unit/cluster_rows.h"

namespace emplace {
namespace {

using testing_rows::empty_picture;
using testing_rows::numbered;

constexpr std::uint32_t kHosts = 10'000;
constexpr std::uint32_t kVms = 100'000;
constexpr std::uint32_t kClaims = 500;  // the writer moves so many about
constexpr std::uint64_t kPublications = 4'000;

// Every host has this at all times: free + used = capacity; and a host's name ends with its memory.
HostRow host_row(std::uint32_t i) {
  HostRow row;
  row.name = "host-" + std::to_string(i);
  row.vcpus = 64;
  row.memory_mib = 1'000'000 + i;
  row.disk_gib = 4'000;
  row.cpu_util = 0;
  row.power_watts = 0;
  row.observed_at_us = 1;
  return row;
}

VmRow vm_row(std::uint64_t id, std::uint32_t host) {
  VmRow row;
  row.id = numbered(id);
  row.name = "vm-" + std::to_string(id);
  row.host = "host-" + std::to_string(host);
  row.state = VmState::kRunning;
  row.vcpus = 1 + static_cast<double>(id % 4);
  row.memory_mib = 1024;
  row.disk_gib = 10;
  return row;
}

const std::shared_ptr<const Picture>& cluster() {
  static const std::shared_ptr<const Picture> picture = [] {
    PictureBuilder builder(empty_picture(Arena::kDefaultBytes));
    for (std::uint32_t i = 0; i < kHosts; ++i) apply(builder, host_row(i));
    for (std::uint32_t i = 0; i < kVms; ++i) apply(builder, vm_row(i, i % kHosts));
    return builder.finish({"test", 1, 0}, 0);
  }();
  return picture;
}

// One publication: a vm moves, a host is observed, now and then a vm goes or comes.
class Writer {
 public:
  std::shared_ptr<const Picture> next(const std::shared_ptr<const Picture>& picture) {
    const std::uint64_t version = picture->version().version + 1;
    PictureBuilder builder(picture);
    apply(builder, vm_row(random_() % kVms, static_cast<std::uint32_t>(random_() % kHosts)));
    const std::uint64_t id = kVms + random_() % kClaims;
    if (random_() % 2 == 0) {
      apply(builder, vm_row(id, static_cast<std::uint32_t>(random_() % kHosts)));
    } else {
      apply(builder, VmRemoved{numbered(id)});
    }
    HostRow host = host_row(static_cast<std::uint32_t>(random_() % kHosts));
    host.cpu_util = static_cast<double>(version);
    host.power_watts = static_cast<double>(version);
    host.observed_at_us = static_cast<std::int64_t>(version);
    apply(builder, host);
    return builder.finish({"test", version, 0}, 0);
  }

 private:
  std::mt19937 random_{7};
};

// The columns of one version agree with each other, on all rows of one chunk.
bool agrees(const Picture& picture, std::size_t chunk) {
  const auto free = picture[hosts::vcpus_free], used = picture[hosts::vcpus_used],
             capacity = picture[hosts::vcpus_capacity];
  const auto util = picture[hosts::cpu_util], watts = picture[hosts::power_watts];
  const auto first = static_cast<std::uint32_t>(chunk) * kChunkRows;
  for (std::uint32_t row = first; row < std::min(first + kChunkRows, picture.rows(Table::kHosts)); ++row) {
    if (free[row] + used[row] != capacity[row] || util[row] != watts[row]) return false;
    if (util.observed_at_us(row) != std::max<std::int64_t>(1, static_cast<std::int64_t>(util[row]))) return false;
    if (static_cast<std::uint64_t>(util[row]) > picture.version().version) return false;
  }
  return true;
}

bool reads_well(const PublishedPicture& published, const std::atomic<bool>& done, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uint64_t last = 0;
  bool good = true;
  while (!done && good) {
    const auto picture = published.take();
    good =
        picture->version().version >= last && agrees(*picture, random() % picture->column(hosts::vcpus.index).size());
    last = picture->version().version;
    double on_hosts = 0;
    for (std::uint32_t row = 0; row < kHosts; ++row) on_hosts += (*picture)[hosts::vm_count][row];
    good = good && picture->index(Index::kVmsByHost).size() == static_cast<std::size_t>(on_hosts);
  }
  return good;
}

// ---- the other process: it has the descriptor and, through a pipe, where the chunks of one version are

struct ChunkAt {
  std::uint64_t values = 0, bytes = 0;
};

std::vector<ChunkAt> chunks_of(const Picture& picture) {
  std::vector<ChunkAt> chunks;
  for (const auto column : {hosts::vcpus_free, hosts::vcpus_used, hosts::vcpus_capacity, hosts::cpu_util}) {
    for (const auto& chunk : picture.column(column.index)) {
      chunks.push_back({picture.arena()->offset_of(chunk->values.get()), kChunkRows * sizeof(double)});
    }
  }
  return chunks;
}

std::uint64_t sum_of(const std::byte* base, const std::vector<ChunkAt>& chunks) {
  std::uint64_t sum = 14695981039346656037ull;
  for (const ChunkAt& chunk : chunks) {
    for (std::uint64_t i = 0; i < chunk.bytes; ++i) {
      sum = (sum ^ std::to_integer<std::uint64_t>(base[chunk.values + i])) * 1099511628211ull;
    }
  }
  return sum;
}

template <typename T>
bool read_all(int fd, T* to, std::size_t count) {
  auto* at = reinterpret_cast<char*>(to);
  for (std::size_t left = count * sizeof(T); left > 0;) {
    const ssize_t got = read(fd, at, left);
    if (got <= 0) return false;
    at += got;
    left -= static_cast<std::size_t>(got);
  }
  return true;
}

template <typename T>
bool write_all(int fd, const T* from, std::size_t count) {
  return write(fd, from, count * sizeof(T)) == static_cast<ssize_t>(count * sizeof(T));
}

enum ChildExit {
  kGood = 0,
  kMappedWritable = 1,
  kHasOurMapping = 2,
  kCannotMap = 3,
  kBadPipe = 4,
  kChanged = 5,
  kBroken = 6
};

// Reads the version over and over until the parent closes the pipe.
int child_reads(int arena_fd, std::uint64_t bytes, const void* parents_mapping, int in, int out) {
  if (mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, arena_fd, 0) != MAP_FAILED) return kMappedWritable;
  unsigned char resident = 0;
  if (mincore(const_cast<void*>(parents_mapping), 1, &resident) == 0) return kHasOurMapping;
  void* const view = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, arena_fd, 0);
  if (view == MAP_FAILED) return kCannotMap;
  const auto* base = static_cast<const std::byte*>(view);
  std::uint64_t count = 0;
  if (!read_all(in, &count, 1)) return kBadPipe;
  std::vector<ChunkAt> chunks(count);
  if (!read_all(in, chunks.data(), chunks.size())) return kBadPipe;
  const std::uint64_t sum = sum_of(base, chunks);
  if (!write_all(out, &sum, 1)) return kBadPipe;
  const std::size_t each = chunks.size() / 4;
  const auto column = [&](std::size_t i, std::size_t chunk) {
    return reinterpret_cast<const double*>(base + chunks[i * each + chunk].values);
  };
  fcntl(in, F_SETFL, O_NONBLOCK);
  for (char end = 0; read(in, &end, 1) != 0;) {  // 0: closed; -1: not yet
    if (sum_of(base, chunks) != sum) return kChanged;
    for (std::size_t chunk = 0; chunk < each; ++chunk) {
      for (std::size_t i = 0; i < kChunkRows; ++i) {
        if (column(0, chunk)[i] + column(1, chunk)[i] != column(2, chunk)[i]) return kBroken;
      }
    }
  }
  return kGood;
}

struct Child {
  pid_t pid = 0;
  int in = -1;   // what the child wrote
  int out = -1;  // to the child
};

Child start_child(const Arena& arena) {
  int to_child[2], from_child[2];
  if (pipe(to_child) != 0 || pipe(from_child) != 0) return {};
  const pid_t pid = fork();
  if (pid == 0) {
    close(to_child[1]);
    close(from_child[0]);
    _exit(child_reads(arena.fd(), arena.bytes(), arena.base(), to_child[0], from_child[1]));
  }
  close(to_child[0]);
  close(from_child[1]);
  return {pid, from_child[0], to_child[1]};
}

int wait_for(Child& child) {
  close(child.out);
  close(child.in);
  int status = 0;
  waitpid(child.pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

// Publishes until the bound on publications or on time; the readers of the process look on.
std::uint64_t publish_under(PublishedPicture& published, std::chrono::steady_clock::duration most, bool& good) {
  std::atomic<bool> done{false};
  bool well[2] = {};
  std::thread readers[2];
  for (std::uint32_t i = 0; i < 2; ++i) {
    readers[i] = std::thread([&, i] { well[i] = reads_well(published, done, i); });
  }
  Writer writer;
  const auto end = std::chrono::steady_clock::now() + most;
  std::uint64_t count = 0;
  for (; count < kPublications && std::chrono::steady_clock::now() < end; ++count) {
    published.publish(writer.next(published.take()));
  }
  done = true;
  for (auto& reader : readers) reader.join();
  good = well[0] && well[1];
  return count;
}

TEST(PictureSharing, ShowsReadersWholeVersionsAndAChildAPinnedOne) {
  const auto pinned = cluster();
  const auto chunks = chunks_of(*pinned);
  Child child = start_child(*pinned->arena());
  ASSERT_GT(child.pid, 0);
  const std::uint64_t count = chunks.size();
  ASSERT_TRUE(write_all(child.out, &count, 1) && write_all(child.out, chunks.data(), chunks.size()));
  std::uint64_t sum_in_child = 0;
  ASSERT_TRUE(read_all(child.in, &sum_in_child, 1)) << "the child ended with " << wait_for(child);
  EXPECT_EQ(sum_in_child, sum_of(pinned->arena()->base(), chunks));

  bool readers_good = false;
  PublishedPicture published(pinned);
  const std::uint64_t publications = publish_under(published, std::chrono::seconds(2), readers_good);

  EXPECT_TRUE(readers_good);
  EXPECT_GT(publications, 0u);
  EXPECT_EQ(published.take()->version().version, pinned->version().version + publications);
  EXPECT_EQ(wait_for(child), kGood);
  EXPECT_EQ(sum_of(pinned->arena()->base(), chunks), sum_in_child);
  for (std::size_t chunk = 0; chunk < 3; ++chunk) EXPECT_TRUE(agrees(*published.take(), chunk));
  RecordProperty("publications", std::to_string(publications));
}

TEST(PictureSharing, UsesTheChunksOfUnpinnedVersionsAgain) {
  const auto arena = cluster()->arena();
  PublishedPicture published(cluster());
  Writer writer;
  for (int i = 0; i < 20; ++i) published.publish(writer.next(published.take()));
  const std::uint64_t after_a_few = arena->bytes_in_use();
  for (int i = 0; i < 200; ++i) published.publish(writer.next(published.take()));
  // The pinned first version and the newest: at most every chunk twice, whatever the number of publications.
  EXPECT_LE(arena->bytes_in_use(), 2 * after_a_few);
}

}  // namespace
}  // namespace emplace
