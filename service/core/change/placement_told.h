// What Placement has of a host by resource class, as the host's nova_state tells it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/core/base/uuid.h"

namespace emplace {

inline constexpr std::string_view kVcpuClass = "VCPU", kMemoryClass = "MEMORY_MB", kDiskClass = "DISK_GB";

// What a host's nova_state says of Placement, as the picture's columns provider and resources_capacity have it: without
// VCPU, MEMORY_MB and DISK_GB, which have columns of their own. Nothing: nobody asked Placement about this host.
struct PlacementTold {
  std::optional<Uuid> provider = {};
  std::string capacities = {};
};
std::optional<PlacementTold> placement_told(std::string_view nova_state);

}  // namespace emplace
