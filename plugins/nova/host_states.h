// HostStates: what Nova's rules know of hosts beyond the picture's columns, compiled once when it changes and kept per
// picture: hosts.nova_state (a JSON object whose keys are Nova's HostState attributes: stats, cpu_info,
// supported_instances, hypervisor_type, hypervisor_version, host_ip, service, ...), the metadata of aggregates, and
// which instance is on which hosts.
//
// Cost: first picture in proportion to hosts, aggregates and vms; next ones to what changed, plus a few pointers per
// block.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "aggregates/memberships.h"
#include "emplace/plugin.hpp"
#include "host_columns.h"
#include "multipliers.h"
#include "numa/numa_topology.h"
#include "pci/pci_pools.h"
#include "value.h"

namespace emplace::nova {

struct Service {
  bool disabled = false;
  bool forced_down = false;
  std::optional<std::int64_t> heartbeat_us;  // last_seen_up, else created_at; microseconds since the epoch
};

// What Nova's scheduler knows of a host and who told us of it may not: its APIs have none of these. Such a host names
// them in its state, as "unread": ["numa_topology", ...]. Rules that need one of them can't judge it.
inline constexpr std::array<std::string_view, 9> kMayBeUnread = {
    "supported_instances", "numa_topology", "pci_stats",  "metrics", "failed_builds",
    "cell_uuid",           "stats",         "num_io_ops", "cpu_info"};

struct HostState {
  static constexpr std::uint64_t kNone = 1;  // version of the state of a host that has none
  std::uint64_t version = kNone;             // that no other state has
  // A dict; without what numa and pci are compiled from, which would take a hundred times the memory.
  Value attributes;  // a dict
  std::optional<Service> service;
  std::vector<std::vector<std::string>> supported_instances;  // of architecture, hypervisor, mode
  std::int64_t hypervisor_version = 0;                        // 0: not known
  // Nova keeps the first two in stats, as texts.
  std::int64_t io_ops = 0;
  std::int64_t failed_builds = 0;
  std::optional<std::int64_t> instances;  // where Nova says how many; it may differ from what is listed
  std::optional<double> least_disk_gb;    // disk_available_least
  std::optional<std::string> host;        // of several nodes the same; none: the host's own name
  std::vector<std::pair<std::string, std::optional<double>>> metrics;  // some have no value but values per cell
  std::optional<NumaTopology> numa;
  std::optional<PciPools> pci;
  std::uint32_t unread = 0;  // bit i: kMayBeUnread[i]

  bool is_unread(std::string_view attribute) const;
};

// Of a host without a state nothing is unread: nobody said that there is more to know.
inline bool is_unread(const HostState* state, std::string_view attribute) {
  return state && state->unread != 0 && state->is_unread(attribute);
}

// "2026-11-21T08:37:10.438461", in UTC.
std::optional<std::int64_t> parse_time_us(std::string_view text);
HostState compile(const Value& attributes);

// Rows of a table to values that are shared between versions.
template <typename T>
class Rows {
 public:
  const T* find(std::uint32_t row) const {
    const Block* block = blocks_.find(row);
    return block ? (*block)[row % kBlockRows].get() : nullptr;
  }
  std::shared_ptr<const T> get(std::uint32_t row) const {
    const Block* block = blocks_.find(row);
    return block ? (*block)[row % kBlockRows] : nullptr;
  }
  void set(std::uint32_t row, std::shared_ptr<const T> value) {
    blocks_.open(row)[row % kBlockRows] = std::move(value);
  }
  std::uint32_t end() const { return blocks_.end(); }

 private:
  using Block = std::array<std::shared_ptr<const T>, kBlockRows>;
  Blocks<Block> blocks_;
};

// Which hosts hold an instance; a claim elsewhere counts as well.
class Instances {
 public:
  struct Placed {
    plugin::Uuid id;
    std::uint32_t host;
    bool operator==(const Placed&) const = default;
  };
  static Instances of(const std::vector<Placed>& all);

  std::vector<std::uint32_t> hosts(const plugin::Uuid& id) const;
  void change(const plugin::Uuid& id, std::uint32_t host, std::int32_t count);

 private:
  struct Entry {
    plugin::Uuid id;
    std::uint32_t host;
    std::int32_t count;
  };
  static constexpr std::uint32_t kShards = 4096;
  using Shard = std::vector<Entry>;
  static void change(Shard& shard, const plugin::Uuid& id, std::uint32_t host, std::int32_t count);
  static std::uint32_t shard_of(const plugin::Uuid& id) { return (id[15] | (std::uint32_t{id[14]} << 8)) % kShards; }
  using ShardBlock = std::array<std::shared_ptr<const Shard>, kBlockRows>;
  Blocks<ShardBlock> shards_;
};

// Rows of vms that a host's state does not count yet: of claims, reservations, and vms that stand for what was just
// decided; and of those that say what they take.
using Uncounted = std::vector<std::uint32_t>;

struct Snapshot {
  Rows<HostState> told;       // by the host itself
  Rows<Uncounted> uncounted;  // by host
  Rows<HostState> hosts;      // as told, with what the uncounted take
  HostColumns columns;        // of them
  Rows<Metadata> aggregates;
  Memberships memberships;  // of the hosts in them
  Multipliers multipliers;  // of the hosts in them
  Instances instances;
  Instances claimed;  // those of them that are claims
};

class HostStates : public plugin::Snapshots<Snapshot> {
 protected:
  std::shared_ptr<const Snapshot> first(const plugin::View& after) const override;
  std::shared_ptr<const Snapshot> next(const Snapshot& index, const plugin::View& before, const plugin::View& after,
                                       const plugin::Changes& changes) const override;
};

// What Nova calls each host; several nodes may share a name, then the picture tells them apart and Nova does not.
class Names {
 public:
  Names(const plugin::Call& call, const HostStates& hosts)
      : snapshot_(hosts.of(call)), names_(call.picture().column<std::string_view>("hosts", "name")) {}
  std::string_view of(std::uint32_t host) const {
    const HostState* state = snapshot_.hosts.find(host);
    return state && state->host ? std::string_view(*state->host) : names_.get(host).value_or("");
  }

 private:
  const Snapshot& snapshot_;
  const plugin::Column<std::string_view> names_;
};

}  // namespace emplace::nova
