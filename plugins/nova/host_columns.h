// HostColumns: what screens and weighers read of every host beyond the picture's own columns, so that they need not
// walk through its attributes: its service, which combination of supported instances it has, its reported free
// disk, and what it counts.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "blocks.h"

namespace emplace::nova {

struct HostState;

// kNone: Nova told nothing of it. kHeard: on; heard_us says when it was heard from.
enum class ServiceState : std::uint8_t { kNone, kHeard, kNeverHeard, kDisabled, kForcedDown };

// What an image may ask for. Many hosts have the same, so each is judged once.
struct Support {
  std::vector<std::vector<std::string>> instances;  // of architecture, hypervisor, mode
  std::int64_t hypervisor_version = 0;              // 0: not known
};

struct HostBlock {
  std::array<ServiceState, kBlockRows> service{};
  std::array<std::int64_t, kBlockRows> heard_us{};  // microseconds since the epoch
  std::array<std::uint32_t, kBlockRows> support{};  // position in supports()
  std::array<double, kBlockRows> least_disk_gb;     // disk_available_least; infinite: not known
  std::array<double, kBlockRows> pci_weight;        // PCIWeigher's
  std::array<double, kBlockRows> io_ops{};
  std::array<double, kBlockRows> failed_builds{};
  std::array<double, kBlockRows> hypervisor_version{};  // 0: not known
  std::array<double, kBlockRows> instances;             // NaN: as many as the picture has there

  // What holds for all of them, so that most blocks need not be looked at host by host.
  std::int64_t first_heard_us = 0, last_heard_us = 0;  // of those with kHeard
  bool any_other = false;                              // some service is neither kNone nor kHeard
  std::optional<double> same_pci_weight = {}, same_io_ops = 0, same_failed_builds = 0, same_hypervisor_version = 0;
  std::vector<std::uint32_t> distinct_supports{0};

  HostBlock();
  void summarise();
};

class HostColumns {
 public:
  HostColumns();
  // A host without a state has what a host has of which nothing is known.
  void set(std::uint32_t row, const HostState* state);
  // After the last set(): works out what holds for whole blocks.
  void finish();
  // Of a host in which nothing was ever set: of one without a state.
  const HostBlock& block_of(std::uint32_t row) const;
  // The first is that of hosts that say nothing. Grows with what was ever seen.
  const std::vector<Support>& supports() const { return supports_->all; }

 private:
  struct Supports {
    std::vector<Support> all{1};
    std::map<std::string, std::uint32_t> positions;
  };
  std::uint32_t position_of(const HostState& state);

  Blocks<HostBlock> blocks_;
  std::vector<std::uint32_t> touched_;  // first rows of blocks that changed since finish()
  std::shared_ptr<Supports> supports_;  // shared between versions until one has more
};

}  // namespace emplace::nova
