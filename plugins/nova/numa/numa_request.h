// NumaRequest: the NUMA cells that an instance asks for, as Nova's InstanceNUMATopology object says, and the networks
// whose affinity counts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "value.h"

namespace emplace::nova {

enum class CpuPolicy : std::uint8_t { kShared, kDedicated, kMixed };  // none is kShared
enum class ThreadPolicy : std::uint8_t { kPrefer, kIsolate, kRequire };

// Sizes of pages that stand for a choice; 0: none was asked for.
inline constexpr std::int64_t kPagesSmall = -1, kPagesLarge = -2, kPagesAny = -3;

struct GuestCell {
  std::int64_t id = 0;
  std::int64_t memory_mib = 0;
  std::int64_t page_kib = 0;
  std::uint32_t shared_count = 0, dedicated_count = 0;  // vCPUs
  CpuPolicy policy = CpuPolicy::kShared;
  ThreadPolicy threads = ThreadPolicy::kPrefer;

  bool pins() const { return policy != CpuPolicy::kShared; }
  bool shares() const { return policy != CpuPolicy::kDedicated; }
};

struct NumaRequest {
  std::vector<GuestCell> cells;    // none: any host will do
  bool isolates_emulator = false;  // a CPU more, beside the first cell
  std::vector<std::string> physnets;
  bool tunneled = false;
};

// From the primitives of an InstanceNUMATopology and of a NetworkMetadata, each null or None when there is none. Throws
// plugin::Error for one that can't be read.
NumaRequest numa_request_of(const Value* topology, const Value* networks);

}  // namespace emplace::nova
