// Change: one row of shared state as it is after a change, or the news that it is gone. The store writes each change
// into `events` as JSON, replicas read them from there; the picture's history on disk is made of them too. Applying a
// change is an upsert by the row's own name or id, so that applying one twice does no harm, and what depends on it (use
// of hosts and cells, counts, indices) is kept by apply() and by nobody else.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/picture/picture.h"

namespace emplace {

struct CellRow {
  double vcpus = 0;
  double memory_mib = 0;
};

struct HostRow {
  std::string name;
  std::string source = "static";
  std::string zone = {};
  std::string rack = {};
  HostState state = HostState::kEnabled;
  std::vector<std::string> aggregates = {};
  std::vector<std::string> traits = {};
  double vcpus = 0, memory_mib = 0, disk_gib = 0;
  double vcpus_reserved = 0, memory_reserved_mib = 0, disk_reserved_gib = 0;
  double cpu_allocation_ratio = 1, ram_allocation_ratio = 1, disk_allocation_ratio = 1;
  std::vector<CellRow> cells = {};
  std::optional<double> cpu_util = {}, memory_used_observed_mib = {}, power_watts = {};
  std::int64_t observed_at_us = 0;  // of the three above
  std::string nova_state = {};      // JSON, or empty
  std::int64_t generation = 0;
};

struct Spread {
  SpreadBy by = SpreadBy::kNone;
  std::string group = {};
  std::string domain = {};
};

// Whose rows the reading of a cloud owns. An allocation is what Placement has given to others than a host's servers.
inline constexpr std::string_view kCloudSource = "openstack", kAllocationSource = "placement";

// A vm, or a held claim of one (claim set): the claim row goes when the claim is confirmed, released or expired.
struct VmRow {
  Uuid id;
  std::string name;
  std::string host = {};  // empty: not placed
  VmState state = VmState::kExpected;
  std::string source = "static";
  std::string project = {};
  std::string group = {};
  double vcpus = 0, memory_mib = 0, disk_gib = 0;
  std::uint32_t numa_nodes = 0;
  std::vector<std::uint32_t> cells = {};
  Spread spread = {};
  std::optional<Uuid> claim = {};
  std::string failure = {};                  // why its last start, move or delete failed; empty: it did not
  double vcpus_max = 0, memory_max_mib = 0;  // as its hypervisor reports; 0: not known
  std::string takes = {};                    // of its host beyond these amounts (takes.h), or empty
};

inline bool is_of_cloud(const VmRow& vm) { return vm.source == kCloudSource || vm.source == kAllocationSource; }

struct GroupRow {
  std::string name;
  GroupPolicy policy = GroupPolicy::kAntiAffinity;
  double max_per_host = 1;
  std::int64_t generation = 0;
};

struct AggregateRow {
  std::string name;
  std::map<std::string, std::string> metadata = {};
};

// Edges and samples name vms by name; a name that no vm has yet makes an expected vm that waits for its placement. Of
// vms that share a name, they belong to the one with the least id, expected vms last.
struct TrafficRow {
  std::string a, b;
  double bytes_per_s = 0;  // 0 removes the edge
  std::int64_t observed_at_us = 0;
};
struct DataSourceRow {
  std::string vm, source;
  double bytes_per_s = 0;  // 0 removes the edge
  std::int64_t observed_at_us = 0;
};
struct SourceHostsRow {
  std::string source;
  std::vector<std::string> hosts;
};
struct PageSampleRow {
  std::string vm;
  double pages = 0, zero_pages = 0, distinct_pages = 0;
  std::int64_t rate = 1;
  std::vector<std::uint64_t> hashes = {};  // sorted, each = 0 mod rate
  std::int64_t observed_at_us = 0;
};

struct HostRemoved {
  std::string name;
};
struct VmRemoved {
  Uuid id;
  std::optional<Uuid> claim = {};  // set: that claim row; else the vm's own, and its claims stay
  std::string project = {};        // of what is gone, for those who may see only their own; empty: not known
};
struct GroupRemoved {
  std::string name;
};
struct AggregateRemoved {
  std::string name;
};

using Change = std::variant<HostRow, VmRow, GroupRow, AggregateRow, TrafficRow, DataSourceRow, SourceHostsRow,
                            PageSampleRow, HostRemoved, VmRemoved, GroupRemoved, AggregateRemoved>;

// Applies one change. Names that the picture lacks (the host of a vm, the group) are left invalid: what is stored is
// consistent, so this happens only between two events of one transaction. Nothing points at a row that was removed: a
// vm whose host or group goes is without one.
void apply(PictureBuilder& picture, const Change& change);

// The whole picture as changes, in an order that apply() can take: for checkpoints, export and tests.
std::vector<Change> changes_of(const Picture& picture);

// One row of a picture, as it would be written.
HostRow host_row(const Picture& picture, std::uint32_t host);
VmRow vm_row(const Picture& picture, std::uint32_t vm);
GroupRow group_row(const Picture& picture, std::uint32_t group);

// Metadata of an aggregate as the JSON object that the picture keeps, and back.
std::string metadata_json(const std::map<std::string, std::string>& metadata);
std::map<std::string, std::string> metadata_from_json(std::string_view json);

// {"kind":"host","name":...} and back. Hashes travel as base64 of little-endian 64-bit values.
std::string to_json(const Change& change);
Result<Change> change_from_json(std::string_view json);

}  // namespace emplace
