// Claim: what was promised to a vm on a host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "service/core/base/uuid.h"

namespace emplace {

struct Claim {
  Uuid id;
  Uuid vm;
  std::string vm_name;
  std::string project = {};
  std::string group = {};
  std::string host;
  std::vector<std::uint32_t> cells;
  std::string state;  // "held", "confirmed"
  std::int64_t expires_at_us = 0;
  std::int64_t generation = 0;  // of the host, after this claim
  std::int64_t taken_at_us = 0;
  bool existing = false;  // an order with unique_name found it held for an equal request
};

}  // namespace emplace
