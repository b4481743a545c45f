#include "service/core/change/change.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/change_model.h"
#include "tests/unit/cluster_rows.h"

namespace emplace {
namespace {

using testing_rows::ChangeModel;
using testing_rows::empty_picture;
using testing_rows::numbered;
using testing_rows::picture_of;
using testing_rows::rows_of;
using testing_rows::with_changes;

// ---- random changes over few names, so that they meet

class RandomChanges {
 public:
  explicit RandomChanges(std::uint32_t seed) : random_(seed) {}

  Change next() {
    switch (below(16)) {
      case 0:
      case 1:
        return host();
      case 2:
        return GroupRow{name("group", 3), static_cast<GroupPolicy>(below(4)), 1.0 + below(3), below(100)};
      case 3:
        return AggregateRow{name("aggregate", 3), {{"zone", name("z", 3)}}};
      case 4:
      case 5:
        return TrafficRow{name("vm", 5), name("vm", 5), below(3) * 1.5, below(1000)};
      case 6:
        return DataSourceRow{name("vm", 5), name("data", 3), below(3) * 0.1, below(1000)};
      case 7:
        return SourceHostsRow{name("data", 3), names("host", 5, 4)};
      case 8:
        return sample();
      case 9:
        return HostRemoved{name("host", 5)};
      case 10:
        return GroupRemoved{name("group", 3)};
      case 11:
        return AggregateRemoved{name("aggregate", 3)};
      case 12:
      case 13:
        return VmRemoved{numbered(1 + below(6)), claim()};
      default:
        return vm();
    }
  }

  std::vector<Change> many(std::size_t count) {
    std::vector<Change> changes;
    for (std::size_t i = 0; i < count; ++i) changes.push_back(next());
    return changes;
  }

 private:
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  std::string name(const char* what, std::uint32_t n) { return what + std::to_string(below(n)); }
  std::string name_or_none(const char* what, std::uint32_t n) { return below(4) == 0 ? "" : name(what, n); }
  std::vector<std::string> names(const char* what, std::uint32_t n, std::uint32_t most) {
    std::set<std::string> chosen;
    for (std::uint32_t i = below(most); i > 0; --i) chosen.insert(name(what, n));
    return {chosen.begin(), chosen.end()};
  }
  std::optional<Uuid> claim() { return below(2) == 0 ? std::nullopt : std::optional(numbered(100 + below(2))); }
  std::optional<double> observed() { return below(2) == 0 ? std::nullopt : std::optional(below(100) * 0.01); }

  HostRow host() {
    HostRow row;
    row.name = name("host", 5);
    row.source = name_or_none("source", 2);
    row.zone = name_or_none("zone", 2);
    row.rack = name_or_none("rack", 3);
    row.state = static_cast<HostState>(below(4));
    row.aggregates = names("aggregate", 3, 3);
    row.traits = names("TRAIT_", 4, 4);
    row.vcpus = below(100);
    row.memory_mib = below(100'000);
    row.disk_gib = below(1000);
    row.vcpus_reserved = below(4);
    row.memory_reserved_mib = below(512);
    row.cpu_allocation_ratio = 1 + below(30) * 0.1;
    row.ram_allocation_ratio = 1 + below(5) * 0.1;
    row.cells.resize(below(5));
    for (CellRow& cell : row.cells) cell = {1.0 + below(32), 1.0 + below(65'536)};
    row.cpu_util = observed();
    row.power_watts = observed();
    row.observed_at_us = 1 + below(1000);
    if (below(3) == 0) row.nova_state = R"({"failed_builds":1})";
    row.generation = below(1000);
    return row;
  }

  VmRow vm() {
    VmRow row;
    row.id = numbered(1 + below(6));
    row.name = name("vm", 5);
    row.host = name_or_none("host", 6);
    row.state = static_cast<VmState>(below(8));
    row.source = name_or_none("source", 2);
    row.project = name_or_none("project", 3);
    row.group = name_or_none("group", 4);
    row.vcpus = below(17);
    row.memory_mib = below(10'000);
    row.disk_gib = below(100);
    for (std::uint32_t cell = 0; cell < 5; ++cell) {
      if (below(3) == 0) row.cells.push_back(cell);
    }
    row.numa_nodes = static_cast<std::uint32_t>(row.cells.size());
    if (below(2) == 0) {
      row.spread = {static_cast<SpreadBy>(1 + below(2)), name("spread", 2), name_or_none("domain", 3)};
    }
    row.claim = claim();
    return row;
  }

  PageSampleRow sample() {
    PageSampleRow row{name("vm", 5), 1.0 + below(1000), 1.0 * below(10), 1.0 * below(500), 1 + below(64), {},
                      below(1000)};
    for (std::uint64_t hash = 0; row.hashes.size() < below(6);) row.hashes.push_back(hash += 1 + below(1'000'000));
    return row;
  }

  std::mt19937 random_;
};

// ---- what a picture must say when the model says so

struct Sums {
  double vcpus = 0, memory_mib = 0, disk_gib = 0, count = 0;
};

Sums use_of(const ChangeModel& model, const std::string& host) {
  Sums sums;
  for (const auto& [key, vm] : model.vms) {
    if (vm.host != host) continue;
    sums.vcpus += vm.vcpus;
    sums.memory_mib += vm.memory_mib;
    sums.disk_gib += vm.disk_gib;
    sums.count += 1;
  }
  return sums;
}

void expect_cells(const Picture& picture, const ChangeModel& model, const HostRow& host, std::uint32_t row) {
  for (std::uint32_t i = 0; i < host.cells.size(); ++i) {
    const std::uint32_t cell = picture[hosts::first_cell][row] + i;
    double vcpus = host.cells[i].vcpus * host.cpu_allocation_ratio;
    double memory_mib = host.cells[i].memory_mib * host.ram_allocation_ratio;
    for (const auto& [key, vm] : model.vms) {
      if (vm.host != host.name || std::count(vm.cells.begin(), vm.cells.end(), i) == 0) continue;
      vcpus -= vm.vcpus / static_cast<double>(vm.cells.size());
      memory_mib -= vm.memory_mib / static_cast<double>(vm.cells.size());
    }
    EXPECT_EQ(picture[numa_cells::alive][cell], 1);
    EXPECT_EQ(picture[numa_cells::host][cell], row);
    EXPECT_EQ(picture[numa_cells::cell][cell], i);
    EXPECT_NEAR(picture[numa_cells::vcpus_free][cell], vcpus, 1e-6);
    EXPECT_NEAR(picture[numa_cells::memory_free_mib][cell], memory_mib, 1e-6);
  }
}

void expect_hosts(const Picture& picture, const ChangeModel& model) {
  std::size_t cells = 0;
  for (const auto& [name, host] : model.hosts) {
    const std::uint32_t row = picture.find_host(name);
    ASSERT_NE(row, kNoRow) << name;
    const Sums used = use_of(model, name);
    EXPECT_EQ(picture[hosts::vcpus_used][row], used.vcpus);
    EXPECT_EQ(picture[hosts::memory_used_mib][row], used.memory_mib);
    EXPECT_EQ(picture[hosts::disk_used_gib][row], used.disk_gib);
    EXPECT_EQ(picture[hosts::vm_count][row], used.count);
    const double vcpus = (host.vcpus - host.vcpus_reserved) * host.cpu_allocation_ratio;
    const double memory_mib = (host.memory_mib - host.memory_reserved_mib) * host.ram_allocation_ratio;
    const double disk_gib = (host.disk_gib - host.disk_reserved_gib) * host.disk_allocation_ratio;
    EXPECT_EQ(picture[hosts::vcpus_capacity][row], vcpus);
    EXPECT_EQ(picture[hosts::vcpus_free][row], vcpus - used.vcpus);
    EXPECT_EQ(picture[hosts::memory_free_mib][row], memory_mib - used.memory_mib);
    EXPECT_EQ(picture[hosts::disk_free_gib][row], disk_gib - used.disk_gib);
    expect_cells(picture, model, host, row);
    cells += host.cells.size();
  }
  std::size_t alive = 0;
  for (std::uint32_t row = 0; row < picture.rows(Table::kNumaCells); ++row) alive += picture[numa_cells::alive][row];
  EXPECT_EQ(alive, cells);
}

// Expected vms are those of which something is known and nothing else, and all that is known of a name is at its
// holder.
void expect_holders(const Picture& picture, const ChangeModel& model) {
  std::set<std::string> expected, waiting;
  for (const auto& name : model.known_names()) {
    const auto holder = model.holder(name);
    if (!holder) waiting.insert(name);
    const std::uint32_t row = picture.find_vm_by_name(name);
    ASSERT_NE(row, kNoRow) << name;
    EXPECT_EQ(picture[vms::id].get(row), holder) << name;
    EXPECT_EQ(picture[vms::pages].valid(row), model.samples.contains(name)) << name;
    std::set<std::uint32_t> edges;
    for (std::uint32_t edge = 0; edge < picture.rows(Table::kTraffic); ++edge) {
      const bool alive = picture[traffic::alive][edge] == 1;
      if (alive && (picture[traffic::a][edge] == row || picture[traffic::b][edge] == row)) edges.insert(edge);
    }
    std::size_t wanted = 0;
    for (const auto& [key, edge] : model.traffic) wanted += edge.a == name || edge.b == name;
    EXPECT_EQ(edges.size(), wanted) << name;
  }
  for (std::uint32_t row = 0; row < picture.rows(Table::kVms); ++row) {
    if (picture[vms::alive][row] == 0 || picture[vms::id].valid(row)) continue;
    EXPECT_TRUE(expected.emplace(picture[vms::name][row]).second);
    EXPECT_EQ(picture[vms::state][row], static_cast<std::uint32_t>(VmState::kExpected));
    EXPECT_FALSE(picture[vms::host].valid(row));
  }
  EXPECT_EQ(expected, waiting);
}

// ---- indices, made again from the columns

using Entries = std::map<std::uint64_t, std::set<std::uint32_t>>;

template <typename Key>
Entries entries_of(const Picture& picture, Table table, Key&& key) {
  Entries entries;
  for (std::uint32_t row = 0; row < picture.rows(table); ++row) {
    if (picture[Column<std::uint8_t>{columns_of(table).first}][row] == 0) continue;
    if (const std::optional<std::uint64_t> found = key(row)) entries[*found].insert(row);
  }
  return entries;
}

void expect_index(const Picture& picture, Index which, const Entries& wanted) {
  std::size_t size = 0;
  for (const auto& [key, rows] : wanted) {
    std::set<std::uint32_t> found;
    for (const auto& entry : picture.index(which).find(key)) found.insert(entry.row);
    EXPECT_EQ(found, rows) << "index " << static_cast<int>(which);
    size += rows.size();
  }
  EXPECT_EQ(picture.index(which).size(), size) << "index " << static_cast<int>(which);
}

void expect_indices(const Picture& picture) {
  const auto by_text = [&](Index which, Table table, Column<Utf8> column) {
    expect_index(picture, which, entries_of(picture, table, [&](std::uint32_t row) {
                   return std::optional(text_key(picture[column][row]));
                 }));
  };
  const auto by_value = [&](Index which, Table table, Column<std::uint32_t> column) {
    expect_index(picture, which, entries_of(picture, table, [&](std::uint32_t row) -> std::optional<std::uint64_t> {
                   return picture[column].get(row);
                 }));
  };
  by_text(Index::kStringsByText, Table::kStrings, strings::text);
  by_text(Index::kHostsByName, Table::kHosts, hosts::name);
  by_text(Index::kVmsByName, Table::kVms, vms::name);
  by_text(Index::kGroupsByName, Table::kGroups, groups::name);
  by_text(Index::kAggregatesByName, Table::kAggregates, aggregates::name);
  by_value(Index::kHostsByRack, Table::kHosts, hosts::rack);
  by_value(Index::kVmsByHost, Table::kVms, vms::host);
  by_value(Index::kVmsByGroup, Table::kVms, vms::group);
  by_value(Index::kVmsBySpreadGroup, Table::kVms, vms::spread_group);
  by_value(Index::kDataSourcesByVm, Table::kDataSources, data_sources::vm);
  by_value(Index::kSourceHostsBySource, Table::kSourceHosts, source_hosts::source);
  by_value(Index::kSourceHostsByHost, Table::kSourceHosts, source_hosts::host);
  expect_index(picture, Index::kVmsById, entries_of(picture, Table::kVms, [&](std::uint32_t row) {
                 const auto id = picture[vms::id].get(row);
                 return id ? std::optional(id->low()) : std::nullopt;
               }));
  Entries ends = entries_of(picture, Table::kTraffic,
                            [&](std::uint32_t row) { return std::optional<std::uint64_t>(picture[traffic::a][row]); });
  for (std::uint32_t row = 0; row < picture.rows(Table::kTraffic); ++row) {
    if (picture[traffic::alive][row] == 1) ends[picture[traffic::b][row]].insert(row);
  }
  expect_index(picture, Index::kTrafficByVm, ends);
  expect_index(picture, Index::kTrafficByEnds, entries_of(picture, Table::kTraffic, [&](std::uint32_t row) {
                 const std::uint32_t a = picture[traffic::a][row], b = picture[traffic::b][row];
                 return std::optional(pair_key(std::min(a, b), std::max(a, b)));
               }));
  expect_index(picture, Index::kDataSourcesByEnds, entries_of(picture, Table::kDataSources, [&](std::uint32_t row) {
                 return std::optional(pair_key(picture[data_sources::vm][row], picture[data_sources::source][row]));
               }));
  Entries members;
  for (std::uint32_t row = 0; row < picture.rows(Table::kHosts); ++row) {
    if (picture[hosts::alive][row] == 0) continue;
    for (const std::uint32_t aggregate : picture[hosts::aggregates][row]) members[aggregate].insert(row);
  }
  expect_index(picture, Index::kHostsByAggregate, members);
}

void expect_says(const Picture& picture, const ChangeModel& model) {
  ASSERT_EQ(rows_of(picture), model.rows());
  expect_hosts(picture, model);
  expect_holders(picture, model);
  expect_indices(picture);
}

std::vector<std::uint64_t> free_bits(const Picture& picture) {
  std::map<std::pair<std::string, std::uint32_t>, std::pair<double, double>> cells;
  for (std::uint32_t row = 0; row < picture.rows(Table::kNumaCells); ++row) {
    if (picture[numa_cells::alive][row] == 0) continue;
    const std::string host(picture[hosts::name][picture[numa_cells::host][row]]);
    cells[{host, picture[numa_cells::cell][row]}] = {picture[numa_cells::vcpus_free][row],
                                                     picture[numa_cells::memory_free_mib][row]};
  }
  std::vector<std::uint64_t> bits;
  for (const auto& [key, free] : cells) {
    bits.push_back(std::bit_cast<std::uint64_t>(free.first));
    bits.push_back(std::bit_cast<std::uint64_t>(free.second));
  }
  return bits;
}

// ---- tests

class Apply : public testing::TestWithParam<std::uint32_t> {};

TEST_P(Apply, SaysWhatTheModelSaysAfterAnyChanges) {
  RandomChanges random(GetParam());
  ChangeModel model;
  auto picture = empty_picture();
  std::vector<std::pair<std::shared_ptr<const Picture>, std::vector<std::string>>> old;
  for (int version = 0; version < 40; ++version) {
    const auto changes = random.many(1 + GetParam() % 17);
    for (const Change& change : changes) model.take_change(change);
    picture = with_changes(picture, changes);
    expect_says(*picture, model);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
    old.emplace_back(picture, rows_of(*picture));
  }
  for (const auto& [version, rows] : old) EXPECT_EQ(rows_of(*version), rows);
}

TEST_P(Apply, TwiceIsOnce) {
  RandomChanges random(GetParam());
  ChangeModel model;
  std::vector<Change> doubled;
  for (const Change& change : random.many(120)) {
    model.take_change(change);
    doubled.push_back(change);
    doubled.push_back(change);
  }
  expect_says(*picture_of(doubled), model);
}

TEST_P(Apply, MakesAnEqualPictureOfAPicturesChanges) {
  RandomChanges random(GetParam());
  const auto changes = random.many(200);
  ChangeModel model;
  for (const Change& change : changes) model.take_change(change);
  const auto picture = picture_of(changes);
  const auto again = picture_of(changes_of(*picture));
  expect_says(*again, model);
  EXPECT_EQ(free_bits(*again), free_bits(*picture));
}

TEST_P(Apply, MakesAnEqualPictureOfChangesThatWereText) {
  RandomChanges random(GetParam());
  ChangeModel model;
  std::vector<Change> read;
  for (const Change& change : random.many(200)) {
    model.take_change(change);
    read.push_back(change_from_json(to_json(change)).value());
  }
  expect_says(*picture_of(read), model);
}

INSTANTIATE_TEST_SUITE_P(Random, Apply, testing::Range(0u, 30u));

VmRow vm_on(std::uint64_t id, const std::string& host) {
  VmRow row;
  row.id = numbered(id);
  row.name = "vm" + std::to_string(id);
  row.host = host;
  row.state = VmState::kRunning;
  row.vcpus = 4;
  row.memory_mib = 1024;
  row.disk_gib = 10;
  return row;
}

HostRow host_named(const std::string& name) {
  HostRow row;
  row.name = name;
  row.vcpus = 16;
  row.memory_mib = 65'536;
  row.disk_gib = 500;
  return row;
}

TEST(ApplyVm, CountsAClaimUntilTheVmIsThere) {
  VmRow claim = vm_on(1, "a");
  claim.claim = numbered(9);
  const auto held = picture_of({host_named("a"), claim});
  const auto confirmed = with_changes(held, {vm_on(1, "a"), VmRemoved{numbered(1), numbered(9)}});
  EXPECT_EQ((*held)[hosts::vcpus_used][0], 4);
  EXPECT_EQ(held->find_vm(numbered(1)), kNoRow);
  EXPECT_NE(held->find_claim(numbered(1), numbered(9)), kNoRow);
  EXPECT_EQ((*confirmed)[hosts::vcpus_used][0], 4);
  EXPECT_NE(confirmed->find_vm(numbered(1)), kNoRow);
  EXPECT_EQ(confirmed->find_claim(numbered(1), numbered(9)), kNoRow);
}

TEST(ApplyVm, TakesTheEdgesThatWaitedForIt) {
  const auto waiting = picture_of({TrafficRow{"vm1", "vm2", 5, 1}, host_named("a")});
  const auto there = with_changes(waiting, {vm_on(1, "a")});
  const auto gone = with_changes(there, {VmRemoved{numbered(1)}});
  const std::uint32_t vm = there->find_vm(numbered(1));
  EXPECT_EQ(there->index(Index::kTrafficByVm).find(vm).size(), 1u);
  EXPECT_NE(gone->find_vm_by_name("vm1"), kNoRow);
  EXPECT_FALSE((*gone)[vms::id].valid(gone->find_vm_by_name("vm1")));
}

// A third of a whole number has no exact double: what is free must not drift, nor depend on the order of the vms.
TEST(ApplyVm, LeavesNoTraceOfThirdsInTheCells) {
  HostRow host = host_named("a");
  host.cells = {{5, 1000}, {5, 1000}, {5, 1000}};
  host.cpu_allocation_ratio = 1.1;
  std::vector<Change> changes = {host};
  for (std::uint64_t id = 1; id <= 20; ++id) {
    VmRow vm = vm_on(id, "a");
    vm.vcpus = static_cast<double>(id % 7);
    vm.cells = {0, 1, 2};
    changes.emplace_back(vm);
  }
  const auto full = picture_of(changes);
  std::reverse(changes.begin() + 1, changes.end());
  EXPECT_EQ(free_bits(*full), free_bits(*picture_of(changes)));

  std::vector<Change> removals;
  for (std::uint64_t id = 1; id <= 20; ++id) removals.emplace_back(VmRemoved{numbered(id)});
  EXPECT_EQ(free_bits(*with_changes(full, removals)), free_bits(*picture_of({host})));
}

TEST(ApplyHost, LetsNoRowOfTheNextHostInheritFromTheOldOne) {
  const auto before = picture_of({host_named("a"), vm_on(1, "a"), SourceHostsRow{"data", {"a"}}});
  const auto after = with_changes(before, {HostRemoved{"a"}, host_named("b")});
  const std::uint32_t b = after->find_host("b");
  EXPECT_EQ(b, before->find_host("a"));
  EXPECT_EQ((*after)[hosts::vcpus_used][b], 0);
  EXPECT_TRUE(after->index(Index::kVmsByHost).find(b).empty());
  EXPECT_TRUE(after->index(Index::kSourceHostsByHost).find(b).empty());
  EXPECT_EQ(vm_row(*after, after->find_vm(numbered(1))).host, "");
}

TEST(ApplyHost, CopiesNothingWhenNothingChanged) {
  const std::vector<Change> changes = {host_named("a"), vm_on(1, "a"), GroupRow{"g"}};
  const auto before = picture_of(changes);
  const auto after = with_changes(before, changes);
  for (int column = 0; column < kColumnCount; ++column) EXPECT_EQ(&before->column(column), &after->column(column));
}

// ---- what changes cost

std::string name_of(const char* what, std::uint32_t n) { return what + std::to_string(n); }

using ChangeAt = std::function<Change(std::uint32_t)>;

// Values that are looked at to apply `first` for each number below n, and then `then` for each of them.
std::uint64_t looks_for(std::uint32_t n, const ChangeAt& first, const ChangeAt& then) {
  std::vector<Change> changes;
  for (std::uint32_t i = 0; i < n; ++i) changes.push_back(first(i));
  for (std::uint32_t i = 0; i < n; ++i) changes.push_back(then(i));
  PictureBuilder builder(empty_picture());
  for (const Change& change : changes) apply(builder, change);
  return builder.looks();
}

// Eight times as many changes take eight times as many looks, and not sixty-four.
void expect_proportional(const ChangeAt& first, const ChangeAt& then) {
  constexpr std::uint32_t kFew = 250, kMany = 8 * kFew;
  EXPECT_LT(looks_for(kMany, first, then), 10 * looks_for(kFew, first, then));
}

TEST(ApplyCosts, GrowWithTheDataSourcesThatChange) {
  const auto with = [](double bytes_per_s) {
    return [=](std::uint32_t i) { return DataSourceRow{"vm", name_of("data", i), bytes_per_s, 1}; };
  };
  expect_proportional(with(1), with(2));
  expect_proportional(with(1), with(0));
}

TEST(ApplyCosts, GrowWithTheTrafficThatChanges) {
  const auto with = [](double bytes_per_s) {
    return [=](std::uint32_t i) { return TrafficRow{"hub", name_of("vm", i), bytes_per_s, 1}; };
  };
  expect_proportional(with(1), with(2));
  expect_proportional(with(1), with(0));
}

TEST(ApplyCosts, GrowWithTheHostsOfAnAggregateThatGoes) {
  const auto host = [](std::uint32_t i) {
    HostRow row = host_named(name_of("host", i));
    row.aggregates = {name_of("aggregate", i)};
    return row;
  };
  expect_proportional(host, [](std::uint32_t i) { return AggregateRemoved{name_of("aggregate", i)}; });
}

}  // namespace
}  // namespace emplace
