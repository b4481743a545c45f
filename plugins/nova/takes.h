// What instances take of a host beyond the picture's amounts, by the names under which the service keeps it
// (emplace_taking in plugin.h):
//
//   numa/CELL/memory_mib   numa/CELL/cpus (shared)   numa/CELL/cpu/N (dedicated)   numa/CELL/pages/KIB   pci/POOL
//   operations (instead of the one that every instance takes)
//
// Working out what an instance takes, and counting what instances took, are each other's inverse: a host on which what
// was taken is counted is the host that Nova's consume_from_request leaves behind.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host_states.h"

namespace emplace::nova {

inline constexpr std::string_view kOperations = "operations";

// Counts on a host's state what instances took; call finish() after the last.
class TakesCounter {
 public:
  explicit TakesCounter(HostState& state) : state_(state) {}
  // A text that is no list of takes, and a name of what the host does not have, count for nothing. The answer is how
  // many operations the instance takes, where it says so.
  std::optional<std::int64_t> add(std::string_view takes);
  void finish();

 private:
  void add(std::string_view name, std::int64_t amount);
  void add_to_pool(std::string_view key, std::int64_t amount);

  HostState& state_;
  std::vector<std::string> pool_keys_;  // of the pools as told, once somebody took of one
  std::vector<bool> taken_of_;          // by pool
};

}  // namespace emplace::nova
