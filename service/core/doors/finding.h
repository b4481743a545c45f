// Finding: something wrong that was seen of a host, for an operator to look into.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace emplace {

// Of hosts that hypervisors report, and of those of a cloud.
inline constexpr std::array kHypervisorFindings{"duplicate_vm", "same_hypervisor", "shared_filesystem", "unreachable"};
inline constexpr std::array kCloudFindings{"leftover_node", "orphan_allocations"};

struct Finding {
  std::string host;
  std::string name;  // one of the above
  std::string text;  // one sentence
  std::int64_t since_us = 0;
};

}  // namespace emplace
