#include "service/core/change/inventory_json.h"

#include <gtest/gtest.h>

#include "service/core/base/base64.h"
#include "tests/unit/cluster_rows.h"

namespace emplace {
namespace {

std::string inventory_fault(const std::string& json) {
  const auto changes = parse_inventory(json, 0);
  return changes ? "" : changes.error().message;
}

bool starts(const std::string& text, std::string_view with) { return text.starts_with(with); }

template <typename Row>
const Row& row(const std::vector<Change>& changes, std::size_t i) {
  return std::get<Row>(changes.at(i));
}

std::string hashes(std::initializer_list<std::uint64_t> values) {
  std::string bytes;
  for (const std::uint64_t value : values) {
    for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>(value >> shift & 0xff);
  }
  return base64_encode(bytes);
}

// The example of the contract, with every list.
std::string everything() {
  return R"({"hosts":[{"name":"h1","vcpus":64,"memory_mib":262144,"disk_gib":2000,"cpu_allocation_ratio":4.0,
      "ram_allocation_ratio":1.0,"disk_allocation_ratio":1.0,"zone":"z1","rack":"r1","aggregates":["a1"],"traits":["SSD"],
      "state":"enabled","numa":[{"vcpus":32,"memory_mib":131072},{"vcpus":32,"memory_mib":131072}],
      "observed":{"cpu_util":0.31,"power_watts":180}}],
    "aggregates":[{"name":"a1","metadata":{"ssd":"true"}}],
    "vms":[{"name":"v1","id":"5b0c9f1e-6a34-4b7e-9b8e-111111111111","host":"h1","vcpus":2,"memory_mib":4096,"disk_gib":40,
            "project":"p","group":"g1"},
           {"name":"v2","id":"5b0c9f1e-6a34-4b7e-9b8e-222222222222","vcpus":2,"memory_mib":4096}],
    "groups":[{"name":"g1","policy":"anti-affinity","max_per_host":1}],
    "traffic":[{"a":"v1","b":"v2","bytes_per_s":1.5e6}],
    "data_sources":[{"vm":"v1","source":"ds1","bytes_per_s":2e6}],"source_hosts":[{"source":"ds1","hosts":["h1"]}],
    "page_samples":[{"vm":"v1","pages":32768,"zero_pages":10164,"distinct_pages":15033,"rate":16,"hashes":")" +
         hashes({16, 160, 1600}) + R"("}]})";
}

TEST(ParseInventory, ReadsEveryList) {
  const auto changes = parse_inventory(everything(), 77);

  ASSERT_TRUE(changes) << changes.error().message;
  ASSERT_EQ(changes->size(), 9u);
  EXPECT_EQ(row<AggregateRow>(*changes, 0).metadata.at("ssd"), "true");
  const auto& host = row<HostRow>(*changes, 1);
  EXPECT_EQ(host.cells.size(), 2u);
  EXPECT_EQ(host.cpu_util, 0.31);
  EXPECT_EQ(host.observed_at_us, 77);
  EXPECT_FALSE(host.memory_used_observed_mib.has_value());
  EXPECT_EQ(row<GroupRow>(*changes, 2).policy, GroupPolicy::kAntiAffinity);
  EXPECT_EQ(row<VmRow>(*changes, 3).state, VmState::kPlaced);
  EXPECT_EQ(row<VmRow>(*changes, 4).state, VmState::kExpected);
  EXPECT_EQ(row<PageSampleRow>(*changes, 8).hashes, (std::vector<std::uint64_t>{16, 160, 1600}));
}

TEST(ParseInventory, TakesAPartialOne) {
  EXPECT_EQ(inventory_fault("{}"), "");
  EXPECT_EQ(inventory_fault(R"({"hosts":[]})"), "");
  EXPECT_EQ(inventory_fault(R"({"hosts":[{"name":"h","vcpus":1,"memory_mib":1}]})"), "");
}

TEST(ParseInventory, NamesTheFieldThatIsWrong) {
  const auto host = [](const std::string& fields) {
    return R"({"hosts":[{"name":"h0","vcpus":1,"memory_mib":1},{"name":"h1","vcpus":4,"memory_mib":8)" + fields + "}]}";
  };
  EXPECT_TRUE(starts(inventory_fault(R"({"hosts":[{"vcpus":1}]})"), "hosts[0].name: wanted a value"));
  EXPECT_TRUE(starts(inventory_fault(R"({"hosts":{}})"), "hosts: wanted a list"));
  EXPECT_TRUE(starts(inventory_fault(R"({"hosts":[7]})"), "hosts[0]: wanted an object"));
  EXPECT_TRUE(starts(inventory_fault(R"({"racks":[]})"), "racks: wanted no such field"));
  EXPECT_TRUE(starts(inventory_fault(host(R"(,"disk_gib":-1)")), "hosts[1].disk_gib: wanted a number from 0"));
  EXPECT_TRUE(starts(inventory_fault(host(R"(,"cpu_allocation_ratio":0)")), "hosts[1].cpu_allocation_ratio:"));
  EXPECT_TRUE(starts(inventory_fault(host(R"(,"state":"asleep")")), "hosts[1].state: wanted one of"));
  EXPECT_TRUE(starts(inventory_fault(host(R"(,"observed":{"cpu_util":1.5})")), "hosts[1].observed.cpu_util:"));
  EXPECT_TRUE(starts(inventory_fault(host(R"(,"numa":[{"vcpus":2,"memory_mib":8}])")),
                     "hosts[1].numa: wanted cells that sum to the host's 4 vcpus, found 2"));
  EXPECT_TRUE(starts(inventory_fault(host(R"(,"numa":[{"vcpus":4,"memory_mib":7}])")),
                     "hosts[1].numa: wanted cells that sum to the host's 8 MiB"));
  EXPECT_TRUE(starts(inventory_fault(host(R"(,"reserved_vcpus":5)")),
                     "hosts[1].reserved_vcpus: wanted at most the host's 4, found 5"));
  EXPECT_TRUE(starts(
      inventory_fault(R"({"hosts":[{"name":"h","vcpus":1,"memory_mib":1},{"name":"h","vcpus":1,"memory_mib":1}]})"),
      "hosts[1].name: wanted each name once"));
  EXPECT_TRUE(
      starts(inventory_fault(R"({"groups":[{"name":"g","policy":"love"}]})"), "groups[0].policy: wanted one of"));
  EXPECT_TRUE(
      starts(inventory_fault(R"({"traffic":[{"a":"x","b":"x","bytes_per_s":1}]})"), "traffic[0].b: wanted another vm"));
  EXPECT_TRUE(starts(inventory_fault(R"({"aggregates":[{"name":"a","metadata":{"k":1}}]})"),
                     "aggregates[0].metadata.k: wanted a text"));
}

TEST(ParseInventory, RefusesSamplesThatAreNone) {
  const auto sample = [](const std::string& text, const std::string& rate) {
    return R"({"page_samples":[{"vm":"v","pages":9,"zero_pages":0,"distinct_pages":9,"rate":)" + rate +
           R"(,"hashes":")" + text + "\"}]}";
  };
  EXPECT_EQ(inventory_fault(sample(hashes({4, 8}), "4")), "");
  EXPECT_TRUE(starts(inventory_fault(sample(hashes({8, 4}), "4")), "page_samples[0].hashes: wanted rising hashes"));
  EXPECT_TRUE(starts(inventory_fault(sample(hashes({4, 4}), "4")), "page_samples[0].hashes: wanted rising hashes"));
  EXPECT_TRUE(
      starts(inventory_fault(sample(hashes({4, 9}), "4")), "page_samples[0].hashes: wanted hashes = 0 mod 4, found 9"));
  EXPECT_TRUE(starts(inventory_fault(sample("????", "4")), "page_samples[0].hashes: wanted base64"));
  EXPECT_TRUE(starts(inventory_fault(sample("AAAA", "4")), "page_samples[0].hashes: wanted base64"));
  EXPECT_TRUE(starts(inventory_fault(sample("", "0")), "page_samples[0].rate: wanted a whole number from 1"));
}

TEST(InventoryJson, ReadsBackToTheSamePicture) {
  const auto first = testing_rows::picture_of(parse_inventory(everything(), 1'700'000'000'123'456).value());

  const std::string text = inventory_json(*first);
  const auto again = parse_inventory(text, 5);

  ASSERT_TRUE(again) << again.error().message << "\n" << text;
  EXPECT_EQ(inventory_json(*testing_rows::picture_of(*again)), text);
}

TEST(InventoryJson, SaysTheStateOfAVmWhateverItIs) {
  const VmRow moving{.id = testing_rows::numbered(1),
                     .name = "v",
                     .host = "h",
                     .state = VmState::kMigrating,
                     .vcpus = 1,
                     .memory_mib = 1};
  const VmRow failed{
      .id = testing_rows::numbered(2), .name = "v", .state = VmState::kFailed, .vcpus = 1, .memory_mib = 1};
  const auto picture = testing_rows::picture_of({HostRow{.name = "h", .vcpus = 1, .memory_mib = 1}, moving, failed});

  const auto again = parse_inventory(inventory_json(*picture), 0);

  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(row<VmRow>(*again, 1).state, VmState::kMigrating);
  EXPECT_EQ(row<VmRow>(*again, 2).state, VmState::kFailed);
}

TEST(ParseInventory, LeavesOutWhatRepeatsTheRowsOfOtherSources) {
  // Its cells do not sum to the host, which an import of it alone would be refused for.
  const HostRow driven{
      .name = "h", .source = "libvirt", .vcpus = 2, .memory_mib = 9, .cells = {{2, 8}}, .cpu_util = 0.5};
  const VmRow moving{.id = testing_rows::numbered(1),
                     .name = "v",
                     .host = "h",
                     .state = VmState::kMigrating,
                     .source = "libvirt",
                     .vcpus = 1,
                     .memory_mib = 1,
                     .failure = "an earlier move",
                     .vcpus_max = 4};
  const VmRow ours{.id = testing_rows::numbered(2), .name = "w", .vcpus = 1, .memory_mib = 1};
  const auto picture = testing_rows::picture_of({driven, moving, ours});
  const std::string text = inventory_json(*picture);

  const auto kept = parse_inventory(text, 0, picture.get());
  HostRow other = driven;
  other.zone = "z";

  ASSERT_TRUE(kept) << kept.error().message;
  ASSERT_EQ(kept->size(), 1u);
  EXPECT_EQ(row<VmRow>(*kept, 0).name, "w");
  EXPECT_FALSE(repeats(*picture, other));
  EXPECT_FALSE(repeats(*picture, ours)) << "the store compares rows that an import may change";
}

TEST(ParseInventory, TellsVmsOfOneNameApartByTheirIds) {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"vms":[{"name":"v","vcpus":1,"memory_mib":1)" + first + R"(},{"name":"v","vcpus":1,"memory_mib":1)" +
           second + "}]}";
  };
  const std::string one = R"(,"id":"5b0c9f1e-6a34-4b7e-9b8e-111111111111")",
                    other = R"(,"id":"5b0c9f1e-6a34-4b7e-9b8e-222222222222")";
  EXPECT_EQ(inventory_fault(two(one, other)), "");
  EXPECT_TRUE(starts(inventory_fault(two(one, one)), "vms[1].id: wanted each id once"));
  EXPECT_TRUE(starts(inventory_fault(two(one, "")), "vms[1].name: wanted an id for each vm of one name"));
  EXPECT_TRUE(starts(inventory_fault(two("", "")), "vms[1].name: wanted an id for each vm of one name"));
}

TEST(WhatIf, KeepsWhatAHostDoesNotName) {
  const auto picture = testing_rows::picture_of(parse_inventory(everything(), 1).value());
  const auto document = JsonDocument::parse(R"({"kind":"host","name":"h1","state":"disabled"})");
  JsonErrors errors;

  const auto change = read_change(document->root(), "what_if[0]", picture.get(), errors);

  ASSERT_TRUE(change && errors.none());
  EXPECT_EQ(std::get<HostRow>(*change).state, HostState::kDisabled);
  EXPECT_EQ(std::get<HostRow>(*change).vcpus, 64);
  EXPECT_EQ(std::get<HostRow>(*change).cells.size(), 2u);
}

}  // namespace
}  // namespace emplace
