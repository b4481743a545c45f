// affinity.memory against exact set arithmetic, against its estimator written slowly, and against real page hashes.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <random>
#include <set>

#include "tests/plugin/asking.h"

namespace emplace {
namespace {

using asking::Asked;
using asking::host;
using asking::Loaded;
using asking::request;
using testing_rows::empty_picture;
using testing_rows::with_changes;

using Pages = std::set<std::uint64_t>;

const Loaded& affinity() {
  static const Loaded loaded("affinity", "{}", asking::settings(EMPLACE_BUILT_PLUGINS));
  return loaded;
}
const Objective& memory() { return affinity().objective("affinity.memory"); }

// The consistent sample of a vm's pages.
PageSampleRow sample(const std::string& vm, const Pages& pages, std::int64_t rate) {
  PageSampleRow row;
  row.vm = vm;
  row.pages = static_cast<double>(pages.size());
  row.distinct_pages = static_cast<double>(pages.size());
  row.rate = rate;
  row.observed_at_us = 1;
  for (const std::uint64_t page : pages) {
    if (page % static_cast<std::uint64_t>(rate) == 0) row.hashes.push_back(page);
  }
  return row;
}

std::shared_ptr<const Picture> memory_picture(const std::vector<Change>& changes) {
  return with_changes(empty_picture(std::uint64_t{1} << 30), changes);
}

Pages range(std::uint64_t from, std::uint64_t to) {
  Pages pages;
  for (std::uint64_t page = from; page < to; ++page) pages.insert(page << 32);
  return pages;
}

TEST(AffinityMemory, TakesAwayWhatTheHostAlreadyHolds) {
  const auto picture =
      memory_picture({host("h0"), host("h1"), host("h2"), asking::vm(1, "h1"), sample("vm-1", range(1, 257), 1),
                      asking::vm(2, "h1"), sample("vm-2", range(129, 385), 1), sample("new", range(1, 513), 1)});

  const auto costs = Asked(picture, request()).evaluate(memory()).value();

  EXPECT_EQ(costs.values, (std::vector<double>{2, 0.5, 2})) << "512 pages, of which h1 holds 384 in a union";
  EXPECT_EQ(costs.quality, std::vector<Quality>(3, Quality::kOk));
}

TEST(AffinityMemory, AddsNothingBesideATwin) {
  std::mt19937_64 random(1);
  Pages pages;
  while (pages.size() < 5000) pages.insert(random());
  const auto picture =
      memory_picture({host("h0"), asking::vm(1, "h0"), sample("vm-1", pages, 4), sample("new", pages, 4)});

  EXPECT_EQ(Asked(picture, request()).evaluate(memory()).value().values.front(), 0);
}

TEST(AffinityMemory, HasNoDataWhereNothingIsKnown) {
  const std::vector<Change> base{host("empty"),          host("unknown"),
                                 host("known"),          asking::vm(1, "unknown"),
                                 asking::vm(2, "known"), sample("vm-2", range(1, 257), 1)};

  const auto without = Asked(memory_picture(base), request()).evaluate(memory()).value();
  EXPECT_EQ(without.quality, std::vector<Quality>(3, Quality::kNoData));

  auto changes = base;
  changes.emplace_back(sample("new", range(1, 257), 1));
  const auto with = Asked(memory_picture(changes), request()).evaluate(memory()).value();
  EXPECT_EQ(with.quality, (std::vector<Quality>{Quality::kOk, Quality::kNoData, Quality::kOk}));
  EXPECT_EQ(with.values[0], 1);
  EXPECT_EQ(with.values[2], 0);
}

TEST(AffinityMemory, HasNoDataForASampleThatCaughtNothing) {
  PageSampleRow nothing = sample("new", {}, 1024);
  nothing.distinct_pages = 7;
  const auto costs = Asked(memory_picture({host("h0"), nothing}), request()).evaluate(memory()).value();
  EXPECT_EQ(costs.quality.front(), Quality::kNoData);
}

TEST(AffinityMemory, DoesNotCountTheVmAgainstItself) {
  const auto picture = memory_picture({host("h0"), host("h1"), asking::vm(1, "h0"), sample("vm-1", range(1, 257), 1),
                                       asking::vm(2, "h0"), sample("vm-2", range(129, 257), 1)});

  const auto costs = Asked(picture, request("vm-1")).evaluate(memory()).value();

  EXPECT_EQ(costs.values, (std::vector<double>{0.5, 1}));
}

TEST(AffinityMemory, SaysWhenTheSampleIsStale) {
  const auto picture = memory_picture({host("h0"), sample("new", range(1, 257), 1)});

  const auto fresh = Asked(picture, request(), 3'600'000'001).evaluate(memory()).value();
  const auto stale = Asked(picture, request(), 3'600'000'002).evaluate(memory()).value();

  EXPECT_EQ(fresh.quality.front(), Quality::kOk);
  EXPECT_EQ(stale.quality.front(), Quality::kStale);
  EXPECT_EQ(stale.values, fresh.values);
}

// ---- oracles

struct Guest {
  std::uint32_t host = kNoRow;
  bool sampled = false;
  std::vector<std::uint64_t> hashes;
  std::int64_t rate = 1;
};

std::vector<Guest> guests_of(const Picture& picture) {
  std::vector<Guest> guests;
  for (std::uint32_t row = 0; row < picture.rows(Table::kVms); ++row) {
    if (picture[vms::alive].get(row) != std::uint8_t{1} || !picture[vms::host].valid(row)) continue;
    Guest guest{picture[vms::host][row], picture[vms::page_samples].valid(row), {}, 1};
    if (guest.sampled) {
      const auto hashes = picture[vms::page_samples][row];
      guest.hashes.assign(hashes.begin(), hashes.end());
      guest.rate = picture[vms::sample_rate][row];
    }
    guests.push_back(std::move(guest));
  }
  return guests;
}

// memory.h's estimator by its definition: for each hash of the request, the finest level at which a vm on the host has
// it.
double shared_by_definition(const std::vector<Guest>& guests, std::uint32_t host, const PageSampleRow& own) {
  const auto above = [&](std::int64_t rate) {
    return static_cast<double>(std::ranges::count_if(
        own.hashes, [&](std::uint64_t hash) { return hash % static_cast<std::uint64_t>(rate) == 0; }));
  };
  double shared = 0;
  for (const std::uint64_t hash : own.hashes) {
    std::int64_t finest = 0;
    for (const Guest& guest : guests) {
      if (guest.host != host || !std::ranges::binary_search(guest.hashes, hash)) continue;
      finest = finest == 0 ? guest.rate : std::min(finest, guest.rate);
    }
    if (finest != 0) shared += own.distinct_pages / above(std::max(finest, own.rate));
  }
  return std::min(shared, own.distinct_pages);
}

void expect_definition(const Asked& asked, const PageSampleRow& own, const std::string& where) {
  const auto costs = asked.evaluate(memory()).value();
  const auto guests = guests_of(*asked.picture);
  const auto rows = asked.hosts();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto on = [&](const Guest& guest) { return guest.host == rows[i]; };
    const bool any = std::ranges::any_of(guests, on);
    const bool known = std::ranges::any_of(guests, [&](const Guest& guest) { return on(guest) && guest.sampled; });
    ASSERT_EQ(costs.quality[i] == Quality::kNoData, (any && !known) || own.hashes.empty()) << where;
    if (costs.quality[i] == Quality::kNoData) continue;
    const double wanted = (own.distinct_pages - shared_by_definition(guests, rows[i], own)) / 256;
    ASSERT_NEAR(costs.values[i], wanted, 1e-9) << where << ", host " << rows[i];
  }
}

// A small world of pages, so that vms share many, with hashes of all levels.
std::vector<std::uint64_t> world_of(std::mt19937_64& random, std::size_t size) {
  std::vector<std::uint64_t> world(size);
  for (std::uint64_t& page : world) page = (random() | 1) << (random() % 8);
  return world;
}

Pages some(const std::vector<std::uint64_t>& world, std::mt19937_64& random) {
  Pages pages;
  const std::uint64_t share = 1 + random() % 10;
  for (const std::uint64_t page : world) {
    if (random() % 10 < share) pages.insert(page);
  }
  return pages;
}

Change random_change(const std::vector<std::uint64_t>& world, std::mt19937_64& random) {
  const std::uint64_t id = random() % 12;
  switch (random() % 5) {
    case 0:
      return VmRemoved{testing_rows::numbered(id)};
    case 1:
    case 2:
      return asking::vm(id, random() % 6 ? "h" + std::to_string(random() % 5) : "");
    default:
      return sample("vm-" + std::to_string(id), some(world, random), std::int64_t{1} << (random() % 5));
  }
}

// Histories, what-ifs and old versions: the index must equal one made from scratch, and both the definition.
TEST(AffinityMemory, MatchesItsDefinitionOverRandomHistories) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    std::mt19937_64 random(seed);
    const auto world = world_of(random, 300);
    std::vector<Change> hosts;
    for (int i = 0; i < 5; ++i) hosts.emplace_back(host("h" + std::to_string(i)));
    std::vector<std::shared_ptr<const Picture>> pictures{memory_picture(hosts)};
    for (int step = 0; step < 40; ++step) {
      const auto base = random() % 4 ? pictures.back() : pictures[random() % pictures.size()];
      const PageSampleRow own = sample("new", some(world, random), std::int64_t{1} << (random() % 5));
      pictures.push_back(with_changes(base, {random_change(world, random), random_change(world, random), own}));

      expect_definition(Asked(pictures.back(), request()), own,
                        "seed " + std::to_string(seed) + ", step " + std::to_string(step));
      const auto old = pictures[random() % pictures.size()];
      const auto row = old->find_vm_by_name("new");
      if (row == kNoRow) continue;
      const Loaded fresh = Loaded("affinity", "{}", asking::settings(EMPLACE_BUILT_PLUGINS));
      const Asked again(old, request());
      if (step % 10 == 0) {
        ASSERT_EQ(again.evaluate(memory()).value().values,
                  again.evaluate(fresh.objective("affinity.memory")).value().values);
      }
    }
  }
}

// With rate 1 the sample is the set, and the cost is exact.
TEST(AffinityMemory, IsExactWithFullSamples) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random(seed);
    const auto world = world_of(random, 200);
    const Pages own = some(world, random);
    std::vector<Change> changes{host("h0"), host("h1"), sample("new", own, 1)};
    std::map<std::string, Pages> unions{{"h0", {}}, {"h1", {}}};
    for (std::uint64_t id = 1; id <= 6; ++id) {
      const std::string on = "h" + std::to_string(random() % 2);
      const Pages pages = some(world, random);
      changes.emplace_back(asking::vm(id, on));
      changes.emplace_back(sample("vm-" + std::to_string(id), pages, 1));
      unions[on].insert(pages.begin(), pages.end());
    }
    const Asked asked(memory_picture(changes), request());
    const auto costs = asked.evaluate(memory()).value();
    for (const auto& [name, pages] : unions) {
      const auto added = std::ranges::count_if(own, [&](std::uint64_t page) { return !pages.contains(page); });
      ASSERT_NEAR(costs.values[asked.picture->find_host(name)], static_cast<double>(added) / 256, 1e-9) << seed;
    }
  }
}

// More hashes than a leaf holds, many hosts with the same ones, and their removal again.
TEST(AffinityMemory, HoldsPagesThatEveryHostHas) {
  std::mt19937_64 random(3);
  const auto world = world_of(random, 500);
  const Pages common(world.begin(), world.end());
  std::vector<Change> changes;
  for (std::uint64_t i = 0; i < 300; ++i) {
    changes.emplace_back(host("h" + std::to_string(i)));
    changes.emplace_back(asking::vm(i, "h" + std::to_string(i)));
    changes.emplace_back(sample("vm-" + std::to_string(i), common, 1));
  }
  const PageSampleRow own = sample("new", common, 1);
  changes.emplace_back(own);
  auto picture = memory_picture(changes);
  EXPECT_EQ(Asked(picture, request()).evaluate(memory()).value().values, std::vector<double>(300, 0.0));

  changes.clear();
  for (std::uint64_t i = 0; i < 300; i += 2) changes.emplace_back(VmRemoved{testing_rows::numbered(i)});
  picture = with_changes(picture, changes);
  expect_definition(Asked(picture, request()), own, "after removal");
}

// ---- real guests

std::vector<std::uint64_t> read_hashes(const std::filesystem::path& file) {
  std::vector<std::uint64_t> hashes;
  const std::string command = "gzip -dc '" + file.string() + "'";
  FILE* in = popen(command.c_str(), "r");
  if (!in) return hashes;
  for (std::uint64_t hash = 0; fread(&hash, sizeof hash, 1, in) == 1;) hashes.push_back(hash);
  pclose(in);
  return hashes;
}

// Distinct pages of each real guest, without the zero page, which is by far the most frequent one.
std::map<std::string, Pages> real_guests(const std::filesystem::path& directory) {
  std::map<std::string, Pages> guests;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    if (file.path().extension() != ".gz") continue;
    std::map<std::uint64_t, std::size_t> counts;
    for (const std::uint64_t hash : read_hashes(file.path())) ++counts[hash];
    const auto zero = std::ranges::max_element(counts, {}, [](const auto& count) { return count.second; });
    if (zero == counts.end()) continue;
    Pages pages;
    for (const auto& [hash, count] : counts) {
      if (hash != zero->first) pages.insert(hash);
    }
    guests[file.path().stem().stem().string()] = std::move(pages);
  }
  return guests;
}

// The power of two with which about `wanted` hashes remain: at most a factor of the square root of two away.
std::int64_t rate_for(const Pages& pages, double wanted) {
  std::int64_t rate = 1;
  while (static_cast<double>(pages.size()) / static_cast<double>(rate) > wanted * std::sqrt(2.0)) rate *= 2;
  return rate;
}

// Error of the estimate in parts of the vm's pages: root of the mean square over all pairs, and over each guest against
// the union of all others.
struct Errors {
  double pairs = 0;
  double unions = 0;
};

Errors errors_with(const std::map<std::string, Pages>& guests, double hashes) {
  double pairs = 0, unions = 0;
  std::size_t count = 0;
  for (const auto& [name, own] : guests) {
    std::vector<Change> changes{host("all"), sample("new", own, rate_for(own, hashes))};
    std::uint64_t id = 0;
    Pages all;
    std::vector<std::pair<std::string, const Pages*>> others;
    for (const auto& [other, pages] : guests) {
      if (other == name) continue;
      for (const std::string& on : {other, std::string("all")}) {
        changes.emplace_back(host(on));
        changes.emplace_back(asking::vm(++id, on));
        changes.emplace_back(sample("vm-" + std::to_string(id), pages, rate_for(pages, hashes)));
      }
      all.insert(pages.begin(), pages.end());
      others.emplace_back(other, &pages);
    }
    others.emplace_back("all", &all);
    const Asked asked(memory_picture(changes), request());
    const auto costs = asked.evaluate(memory()).value();
    for (const auto& [other, pages] : others) {
      const auto added = std::ranges::count_if(own, [&](std::uint64_t page) { return !pages->contains(page); });
      const double error = (costs.values[asked.picture->find_host(other)] * 256 - static_cast<double>(added)) /
                           static_cast<double>(own.size());
      (other == "all" ? unions : pairs) += error * error;
      count += other == "all" ? 0 : 1;
    }
  }
  return {std::sqrt(pairs / static_cast<double>(count)), std::sqrt(unions / static_cast<double>(guests.size()))};
}

TEST(AffinityMemory, IsCloseOnRealGuests) {
  const std::filesystem::path directory = std::filesystem::path(EMPLACE_SOURCE) / "../shared/data/page_hashes";
  if (!std::filesystem::is_directory(directory)) {
    GTEST_SKIP() << "no page hashes of real guests beside the repository (../shared/data/page_hashes)";
  }
  const auto guests = real_guests(directory);
  ASSERT_GE(guests.size(), 2u);

  const Errors fine = errors_with(guests, 4096), coarse = errors_with(guests, 1024);

  RecordProperty("rmse_percent_4096_pairs", std::to_string(fine.pairs * 100));
  RecordProperty("rmse_percent_1024_pairs", std::to_string(coarse.pairs * 100));
  printf(
      "RMSE in %% of the vm's pages: 4,096 hashes %.3f (pairs) %.3f (unions); 1,024 hashes %.3f (pairs) %.3f "
      "(unions)\n",
      fine.pairs * 100, fine.unions * 100, coarse.pairs * 100, coarse.unions * 100);
  EXPECT_LE(fine.pairs, 0.01);
  EXPECT_LE(fine.unions, 0.01);
  EXPECT_LE(coarse.pairs, 0.02);
  // Rates are powers of two, so a sample of at most 1,024 hashes holds 512 to 1,024 of them.
  EXPECT_LE(coarse.unions, 0.025);
}

}  // namespace
}  // namespace emplace
