// PciPools: a host's free PCI devices as Nova summarises them, and what an instance asks of them. Devices with the same
// vendor, product, NUMA node and tags are a pool; a request is satisfied by pools that match one of its specs, taken in
// the order that its NUMA policy says.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "numa/numa_topology.h"
#include "value.h"

namespace emplace::nova {

// A property without a value is None.
using PciProperties = std::vector<std::pair<std::string, std::optional<std::string>>>;

struct PciPool {
  PciProperties properties;  // in lower case, since that is how they are compared
  std::optional<std::int64_t> numa_node;
  std::int64_t count = 0;   // free devices
  std::uint32_t place = 0;  // among the host's pools as it told them
  bool is_physical_function = false, is_vdpa = false, is_remote_managed = false;

  bool matches(const PciProperties& spec) const;  // of a request, in lower case
};

struct PciPools {
  std::vector<PciPool> pools;  // in the order in which Nova takes from them
  std::string fault;           // why they can't be read; empty when they can

  std::int64_t free() const;
  std::int64_t free_near(std::int64_t numa_node) const;
};

enum class PciNumaPolicy : std::uint8_t { kLegacy, kRequired, kPreferred, kSocket };

struct PciRequest {
  std::int64_t count = 0;
  std::vector<PciProperties> specs;  // one of them must match
  PciNumaPolicy policy = PciNumaPolicy::kLegacy;
  bool wants_physical_function = false, wants_vdpa = false, wants_remote_managed = false;
};

// Of an instance that was fitted onto cells of a host: to which pools its devices may lie. Without cells all are near.
struct PciPlace {
  std::span<const std::int64_t> cells = {};  // ids of those
  std::span<const NumaCell> host = {};       // for their sockets
};

// Takes devices for requests from one host's pools, on a count of its own. To be used again for host after host: that
// needs no memory.
class PciTaking {
 public:
  // Whether all requests can be satisfied, one after the other.
  bool supports(const PciPools& pools, std::span<const PciRequest> requests, const PciPlace& place);
  // After supports() said no: which request failed, and how many devices it could have had.
  std::size_t failed() const { return failed_; }
  std::int64_t found() const { return found_; }
  // After supports() said yes: what is left.
  PciPools left(const PciPools& pools) const;
  // After supports(): how many devices of the pool at a position were taken, by the requests before one that failed;
  // nothing when it was left alone. A pool that was emptied may have had none.
  std::optional<std::int64_t> taken(const PciPools& pools, std::size_t position) const;

 private:
  bool take(const PciRequest& request, const PciPlace& place);
  bool choose(const PciRequest& request, const PciPlace& place);
  void choose_near(const PciRequest& request, const PciPlace& place);
  template <typename Keep>
  bool narrow(const PciRequest& request, Keep keep);
  std::int64_t chosen_devices() const;

  const PciPools* pools_ = nullptr;
  std::vector<std::int64_t> counts_;   // by pool; kGone for one that was emptied
  std::vector<std::uint32_t> chosen_;  // positions of pools
  std::vector<std::uint32_t> near_;
  std::size_t failed_ = 0;
  std::int64_t found_ = 0;
};

// The pools without what the requests take. Nothing when they can't be satisfied.
std::optional<PciPools> consume(const PciPools& pools, std::span<const PciRequest> requests, const PciPlace& place);

// From the primitive of a PciDevicePoolList, a list of pools, or the text of one; nothing when the host says nothing.
std::optional<PciPools> pci_pools_of(const Value* value);
// From the primitive of InstancePCIRequests; throws plugin::Error when it can't be read.
std::vector<PciRequest> pci_requests_of(const Value* value);

std::string describe(const PciRequest& request);

// A name for each pool by what its devices are; of pools of the same devices by their order too.
std::vector<std::string> keys_of(const PciPools& pools);

}  // namespace emplace::nova
