// The schema of the picture: its tables and typed columns. A column's name, unit and type are part of the plugin
// contract (manifests name the columns they read as "table.column"). A new column goes at the end of its table's block
// and into kColumns in schema.cc; a test holds the two together.
//
// A number with a unit carries it in its name. A value that was never measured is invalid, never zero.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "service/core/base/uuid.h"

namespace emplace {

enum class Table : std::uint8_t {
  kStrings,  // the dictionary of zones, racks, traits, projects, sources: a code is a row of this table
  kHosts,
  kNumaCells,  // child of hosts; the cells of a host are neighbours
  kVms,        // one row per vm, and one per held claim for a vm that is not on that host yet
  kGroups,
  kAggregates,
  kTraffic,      // edges vm - vm
  kDataSources,  // edges vm - data source
  kSourceHosts,  // data source - host with a copy
};
inline constexpr int kTableCount = 9;

enum class Type : std::uint8_t {
  kF64,
  kI64,
  kU32,  // also rows of other tables, codes of strings, enumerators
  kU8,
  kUuid,
  kUtf8,     // Arrow utf8: 32-bit offsets and bytes
  kListU32,  // Arrow list of u32: 32-bit offsets and values
  kSpanU64,  // a reference per row (offset in the arena, count) to sorted 64-bit values, for values too big to copy
};

// C++ stand-ins for the types that are not plain values.
struct Utf8 {};
struct ListU32 {};
struct SpanU64 {};

template <typename T>
struct Column {
  using value_type = T;
  std::uint16_t index;
};

enum class HostState : std::uint32_t { kEnabled, kDisabled, kMaintenance, kDown };
enum class VmState : std::uint32_t { kExpected, kClaimed, kStarting, kRunning, kStopped, kMigrating, kFailed, kPlaced };
enum class GroupPolicy : std::uint32_t { kAffinity, kAntiAffinity, kSoftAffinity, kSoftAntiAffinity };
enum class SpreadBy : std::uint32_t { kNone, kRack, kZone };

// clang-format off
namespace strings {
inline constexpr Column<std::uint8_t>  alive{0};
inline constexpr Column<Utf8>          text{1};
}  // namespace strings

namespace hosts {
inline constexpr Column<std::uint8_t>  alive{2};
inline constexpr Column<Utf8>          name{3};
inline constexpr Column<std::uint32_t> source{4};             // code: "static", "libvirt", "nova"
inline constexpr Column<std::uint32_t> state{5};              // HostState
inline constexpr Column<std::uint32_t> zone{6};               // code
inline constexpr Column<std::uint32_t> rack{7};               // code
inline constexpr Column<ListU32>       aggregates{8};         // rows of aggregates
inline constexpr Column<ListU32>       traits{9};             // codes
inline constexpr Column<double>        vcpus{10};
inline constexpr Column<double>        memory_mib{11};
inline constexpr Column<double>        disk_gib{12};
inline constexpr Column<double>        vcpus_reserved{13};
inline constexpr Column<double>        memory_reserved_mib{14};
inline constexpr Column<double>        disk_reserved_gib{15};
inline constexpr Column<double>        cpu_allocation_ratio{16};
inline constexpr Column<double>        ram_allocation_ratio{17};
inline constexpr Column<double>        disk_allocation_ratio{18};
inline constexpr Column<double>        vcpus_used{19};        // by vms and held claims
inline constexpr Column<double>        memory_used_mib{20};
inline constexpr Column<double>        disk_used_gib{21};
inline constexpr Column<double>        vcpus_capacity{22};    // (total - reserved) * ratio
inline constexpr Column<double>        memory_capacity_mib{23};
inline constexpr Column<double>        disk_capacity_gib{24};
inline constexpr Column<double>        vcpus_free{25};        // capacity - used; may be negative
inline constexpr Column<double>        memory_free_mib{26};
inline constexpr Column<double>        disk_free_gib{27};
inline constexpr Column<std::uint32_t> first_cell{28};        // row of numa_cells; invalid: the host has no cells
inline constexpr Column<std::uint32_t> cell_count{29};
inline constexpr Column<std::int64_t>  generation{30};
inline constexpr Column<double>        cpu_util{31};          // 0..1, observed
inline constexpr Column<double>        memory_used_observed_mib{32};
inline constexpr Column<double>        power_watts{33};       // observed
inline constexpr Column<double>        vm_count{34};          // vms and held claims on the host
inline constexpr Column<Utf8>          nova_state{35};        // JSON of Nova's rarer HostState attributes
inline constexpr Column<Utf8>          resources_used{36};    // by class, where vms count otherwise than their amounts say (takes.h)
inline constexpr Column<Utf8>          resources_capacity{37};  // by class, of Placement's inventories; invalid: nobody asked it
inline constexpr Column<Uuid>          provider{38};            // its resource provider, where Placement was asked
}  // namespace hosts

namespace numa_cells {
inline constexpr Column<std::uint8_t>  alive{39};
inline constexpr Column<std::uint32_t> host{40};              // row of hosts
inline constexpr Column<std::uint32_t> cell{41};              // 0, 1, ... within the host
inline constexpr Column<double>        vcpus_capacity{42};    // total * ratio
inline constexpr Column<double>        memory_capacity_mib{43};
inline constexpr Column<double>        vcpus_free{44};        // capacity - used by vms that asked for cells
inline constexpr Column<double>        memory_free_mib{45};
inline constexpr Column<double>        vcpus{46};
inline constexpr Column<double>        memory_mib{47};
}  // namespace numa_cells

namespace vms {
inline constexpr Column<std::uint8_t>  alive{48};
inline constexpr Column<Uuid>          id{49};
inline constexpr Column<Utf8>          name{50};
inline constexpr Column<std::uint32_t> host{51};              // row of hosts; invalid: not placed
inline constexpr Column<std::uint32_t> state{52};             // VmState
inline constexpr Column<std::uint32_t> source{53};            // code
inline constexpr Column<std::uint32_t> project{54};           // code
inline constexpr Column<std::uint32_t> group{55};             // row of groups
inline constexpr Column<double>        vcpus{56};
inline constexpr Column<double>        memory_mib{57};
inline constexpr Column<double>        disk_gib{58};
inline constexpr Column<std::uint32_t> numa_nodes{59};
inline constexpr Column<std::int64_t>  cells{60};             // bit i: the vm uses cell i of its host
inline constexpr Column<std::uint32_t> spread_by{61};         // SpreadBy
inline constexpr Column<std::uint32_t> spread_group{62};      // code
inline constexpr Column<std::uint32_t> spread_domain{63};     // code
inline constexpr Column<Uuid>          claim{64};             // valid: this row is a held claim
inline constexpr Column<double>        pages{65};             // of 4 KiB
inline constexpr Column<double>        zero_pages{66};
inline constexpr Column<double>        distinct_pages{67};    // without the zero page
inline constexpr Column<std::int64_t>  sample_rate{68};       // hashes are = 0 mod rate
inline constexpr Column<SpanU64>       page_samples{69};      // sorted hashes, observed
inline constexpr Column<Utf8>          failure{70};           // why its last start, move or delete failed
inline constexpr Column<double>        vcpus_max{71};         // what it may grow to without a new definition
inline constexpr Column<double>        memory_max_mib{72};
inline constexpr Column<Utf8>          takes{73};             // JSON: what it takes of its host beyond amounts (takes.h)
}  // namespace vms

namespace groups {
inline constexpr Column<std::uint8_t>  alive{74};
inline constexpr Column<Utf8>          name{75};
inline constexpr Column<std::uint32_t> policy{76};            // GroupPolicy
inline constexpr Column<double>        max_per_host{77};      // anti-affinity: at most so many members on one host
inline constexpr Column<std::int64_t>  generation{78};
}  // namespace groups

namespace aggregates {
inline constexpr Column<std::uint8_t>  alive{79};
inline constexpr Column<Utf8>          name{80};
inline constexpr Column<Utf8>          metadata{81};          // JSON object of strings
}  // namespace aggregates

namespace traffic {
inline constexpr Column<std::uint8_t>  alive{82};
inline constexpr Column<std::uint32_t> a{83};                 // row of vms
inline constexpr Column<std::uint32_t> b{84};
inline constexpr Column<double>        bytes_per_s{85};       // both directions together, observed
}  // namespace traffic

namespace data_sources {
inline constexpr Column<std::uint8_t>  alive{86};
inline constexpr Column<std::uint32_t> vm{87};
inline constexpr Column<std::uint32_t> source{88};            // code
inline constexpr Column<double>        bytes_per_s{89};       // observed
}  // namespace data_sources

namespace source_hosts {
inline constexpr Column<std::uint8_t>  alive{90};
inline constexpr Column<std::uint32_t> source{91};            // code
inline constexpr Column<std::uint32_t> host{92};
}  // namespace source_hosts
// clang-format on

inline constexpr int kColumnCount = 93;

struct ColumnSchema {
  Table table;
  std::string_view name;  // without the table: "memory_mib"
  std::string_view unit;  // "MiB", "GiB", "", "ratio", "W", "B/s", "row", "code"
  Type type;
  bool observed;  // each value carries the time it was observed
};

// One entry per column, in the order of their indices.
std::span<const ColumnSchema> column_schemas();
std::string_view table_name(Table table);  // "hosts"

// A table's columns are neighbours; the first is always `alive`.
struct ColumnRange {
  std::uint16_t first = 0;
  std::uint16_t end = 0;
};
ColumnRange columns_of(Table table);

std::string_view to_string(HostState state);
std::string_view to_string(VmState state);
std::string_view to_string(GroupPolicy policy);
std::string_view to_string(SpreadBy by);
std::optional<HostState> parse_host_state(std::string_view text);
std::optional<VmState> parse_vm_state(std::string_view text);
std::optional<GroupPolicy> parse_group_policy(std::string_view text);
std::optional<SpreadBy> parse_spread_by(std::string_view text);

}  // namespace emplace
