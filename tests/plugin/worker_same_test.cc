// The same plugin gives the same bits in a worker and in this process, whatever the cluster, the request and the memory
// that the picture lies in.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "tests/plugin/asking.h"

namespace emplace {
namespace {

using asking::Asked;
using asking::host;
using asking::Loaded;
using testing_rows::empty_picture;
using testing_rows::with_changes;

std::string name_of(const char* prefix, std::uint64_t number) { return prefix + std::to_string(number); }

class RandomCluster {
 public:
  explicit RandomCluster(std::uint64_t seed) : random_(seed) {}

  std::vector<Change> changes(std::size_t count) {
    std::vector<Change> changes;
    while (changes.size() < count) changes.push_back(change());
    return changes;
  }
  VmRequest request() {
    VmRequest made = asking::request(name_of("vm-", below(30)), static_cast<double>(below(512)));
    if (below(2)) made.nova_spec = R"({"nova_object.name":"RequestSpec","nova_object.data":{"scheduler_hints":{}}})";
    return made;
  }
  std::uint64_t below(std::uint64_t end) { return random_() % end; }

 private:
  Change change() {
    switch (below(8)) {
      case 0:
      case 1:
        return random_host();
      case 2:
        return TrafficRow{name_of("vm-", below(30)), name_of("vm-", below(30)), static_cast<double>(below(1000)), 1};
      case 3:
        return DataSourceRow{name_of("vm-", below(30)), name_of("s", below(4)), static_cast<double>(below(1000)), 1};
      case 4:
        return SourceHostsRow{name_of("s", below(4)), {name_of("h", below(12)), name_of("h", below(12))}};
      case 5:
        return sample();
      default:
        return asking::vm(below(30), below(5) ? name_of("h", below(12)) : "", static_cast<double>(1 + below(64)));
    }
  }
  HostRow random_host() {
    HostRow row = host(name_of("h", below(12)), static_cast<double>(below(4096)));
    row.rack = name_of("r", below(3));
    row.zone = name_of("z", below(2));
    row.aggregates = {name_of("a", below(3))};
    if (below(2)) row.nova_state = R"({"service":{"disabled":false,"last_seen_up":"2026-11-21T08:36:10.000000"}})";
    return row;
  }
  PageSampleRow sample() {
    PageSampleRow row;
    row.vm = name_of("vm-", below(30));
    for (std::uint64_t page = 1 + below(50); row.hashes.size() < below(200); page += 1 + below(9)) {
      row.hashes.push_back(page << 32);
    }
    row.pages = row.distinct_pages = static_cast<double>(row.hashes.size());
    row.observed_at_us = 1;
    return row;
  }

  std::mt19937_64 random_;
};

void expect_same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_TRUE(a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

void expect_same_objectives(const Loaded& here, const Loaded& worker, const Asked& asked) {
  for (const auto& objective : here.rules.objectives) {
    const auto costs = asked.evaluate(*objective);
    const auto other = asked.evaluate(worker.objective(objective->traits().id));
    ASSERT_TRUE(costs && other) << (costs ? other : costs).error().message;
    expect_same_bits(costs->values, other->values);
    EXPECT_EQ(costs->quality, other->quality);
  }
}

void expect_same_filters(const Loaded& here, const Loaded& worker, const Asked& asked) {
  for (const auto& filter : here.rules.filters) {
    const Filter& twin = worker.filter(filter->traits().id);
    const auto screened = asking::screen(*filter, asked);
    const auto other = asking::screen(twin, asked);
    ASSERT_TRUE(screened.done && other.done) << (screened.done ? other : screened).done.error().message;
    EXPECT_EQ(screened.kept, other.kept);
    ASSERT_EQ(screened.reasons, other.reasons);
    for (const std::uint32_t row : asked.hosts()) {
      if (screened.reasons[row] == 0) continue;
      const Refusal a = filter->explain(*asked.query, row, screened.reasons[row]);
      const Refusal b = twin.explain(*asked.query, row, other.reasons[row]);
      EXPECT_EQ(a.code, b.code);
      EXPECT_EQ(a.wanted, b.wanted);
      EXPECT_EQ(a.found, b.found);
    }
  }
}

void expect_same_weighers(const Loaded& here, const Loaded& worker, const Asked& asked) {
  for (const auto& weigher : here.rules.weighers) {
    const auto weights = weigher->weigh(*asked.query, asked.hosts());
    const auto other = worker.weigher(weigher->traits().id).weigh(*asked.query, asked.hosts());
    ASSERT_TRUE(weights && other) << (weights ? other : weights).error().message;
    expect_same_bits(weights->raw, other->raw);
    expect_same_bits(weights->multipliers, other->multipliers);
    EXPECT_EQ(weights->minimum, other->minimum);
    EXPECT_EQ(weights->maximum, other->maximum);
  }
}

enum class Pictures { kMapped, kCopied, kBoth };

void expect_same(const char* plugin, Pictures pictures) {
  const Loaded here(plugin, "{}", asking::settings(EMPLACE_BUILT_PLUGINS));
  auto picture = empty_picture(std::uint64_t{1} << 28);
  auto settings = asking::settings(EMPLACE_BUILT_PLUGINS);
  if (pictures != Pictures::kCopied) settings.worker.pictures = picture->arena();
  // Time is not what this is about, and a machine may be busy.
  const Loaded worker(plugin, "{}", settings, "worker", 30'000);
  for (std::uint64_t seed = 1; seed <= 25; ++seed) {
    RandomCluster cluster(seed);
    if (pictures == Pictures::kBoth && seed % 2) picture = empty_picture(std::uint64_t{1} << 28);
    picture = with_changes(picture, cluster.changes(60));
    for (int step = 0; step < 6; ++step) {
      const Asked asked(picture, cluster.request());
      expect_same_objectives(here, worker, asked);
      expect_same_filters(here, worker, asked);
      expect_same_weighers(here, worker, asked);
      ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed << ", step " << step;
      picture = with_changes(picture, cluster.changes(1 + cluster.below(6)));
    }
  }
  EXPECT_EQ(worker.plugins->status()[0].restarts, 0u);
}

TEST(WorkerSameBits, AffinityOnMappedPictures) { expect_same("affinity", Pictures::kMapped); }
TEST(WorkerSameBits, AffinityOnCopiedPictures) { expect_same("affinity", Pictures::kCopied); }
TEST(WorkerSameBits, AffinityOnPicturesOfSeveralMemories) { expect_same("affinity", Pictures::kBoth); }
TEST(WorkerSameBits, NovaOnMappedPictures) { expect_same("nova", Pictures::kMapped); }
TEST(WorkerSameBits, NovaOnCopiedPictures) { expect_same("nova", Pictures::kCopied); }

}  // namespace
}  // namespace emplace
