// Finding: something wrong that was seen of a host, for an operator to look into.
#pragma once

#include <cstdint>
#include <string>

namespace emplace {

struct Finding {
  std::string host;
  std::string name;  // "duplicate_vm", "same_hypervisor", "shared_filesystem", "unreachable"
  std::string text;  // one sentence
  std::int64_t since_us = 0;
};

}  // namespace emplace
