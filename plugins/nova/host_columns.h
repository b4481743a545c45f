// HostColumns: what screens and weighers read of every host beyond the picture's own columns, so that they need not
// walk through its attributes: its service, of which kind it is, its reported free disk, and what it counts.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "blocks.h"
#include "numa/numa_topology.h"
#include "pci/pci_pools.h"

namespace emplace::nova {

struct HostState;

// kNone: Nova told nothing of it. kHeard: on; heard_us says when it was heard from.
enum class ServiceState : std::uint8_t { kNone, kHeard, kNeverHeard, kDisabled, kForcedDown };

// What an image may ask for. There are many hosts and few kinds, so each kind is judged once.
struct HostKind {
  std::vector<std::vector<std::string>> supported_instances;  // of architecture, hypervisor, mode
  std::int64_t hypervisor_version = 0;                        // 0: not known
  std::optional<double> address_bits = {};                    // of cpu_info; none: the host does not say
  bool is_support_unread = false;
};

// Null and none: not known, or unreadable.
struct HostTopology {
  std::span<const NumaCell> cells;
  const PciPools* pools = nullptr;
};

struct HostBlock {
  std::array<ServiceState, kBlockRows> service{};
  std::array<std::int64_t, kBlockRows> heard_us{};  // microseconds since the epoch
  std::array<std::uint32_t, kBlockRows> kind{};     // position in kinds()
  std::array<std::uint64_t, kBlockRows> version;    // of the host's state
  std::array<double, kBlockRows> least_disk_gb;     // disk_available_least; infinite: not known
  std::array<double, kBlockRows> pci_weight;        // PCIWeigher's; of this and the next two, NaN: was not read
  std::array<double, kBlockRows> io_ops{};
  std::array<double, kBlockRows> failed_builds{};
  std::array<double, kBlockRows> hypervisor_version{};  // 0: not known
  std::array<double, kBlockRows> instances;             // NaN: as many as the picture has there
  std::array<HostTopology, kBlockRows> topology{};      // in the host's state

  // What holds for all of them, so that most blocks need not be looked at host by host.
  std::int64_t first_heard_us = 0, last_heard_us = 0;  // of those with kHeard
  bool any_other = false;                              // some service is neither kNone nor kHeard
  std::optional<double> same_pci_weight = {}, same_io_ops = 0, same_failed_builds = 0, same_hypervisor_version = 0;
  std::vector<std::uint32_t> distinct_kinds{0};

  HostBlock();
  void summarise();
};

class HostColumns {
 public:
  HostColumns();
  // A host without a state has what a host has of which nothing is known. The state must outlive its row here.
  void set(std::uint32_t row, const HostState* state);
  // After the last set(): works out what holds for whole blocks.
  void finish();
  // Of a host in which nothing was ever set: of one without a state.
  const HostBlock& block_of(std::uint32_t row) const;
  // The first is that of hosts that say nothing. Grows with what was ever seen.
  const std::vector<HostKind>& kinds() const { return kinds_->all; }
  const HostKind& kind_of(std::uint32_t row) const { return kinds()[block_of(row).kind[row % kBlockRows]]; }

 private:
  struct Kinds {
    Kinds();
    std::vector<HostKind> all{1};
    std::map<std::string, std::uint32_t> positions;  // by the attributes
  };
  std::uint32_t position_of(const HostState& state);

  Blocks<HostBlock> blocks_;
  std::vector<std::uint32_t> touched_;  // first rows of blocks that changed since finish()
  std::shared_ptr<Kinds> kinds_;        // shared between versions until one has more
};

}  // namespace emplace::nova
