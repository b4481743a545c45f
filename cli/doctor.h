// What the service says of its own health, taken apart for `emplace doctor`: /readyz as lines "NAME: what is wrong",
// each told once, by the check that knows best what to do about it, and /metrics.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/json.h"

namespace emplace::cli {

// The reasons and warnings of /readyz. What nobody takes is left for the last check.
class Complaints {
 public:
  explicit Complaints(const Json& readyz);
  // What is said of that name ("host h1", "openstack.vms"), without it; they are told with this.
  std::vector<std::string> take(const std::string& name);
  // All that are left, as name and text.
  std::vector<std::pair<std::string, std::string>> rest() const;

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

// One figure of /metrics with one label at most: (label's value, figure) of each row.
std::vector<std::pair<std::string, double>> figures(const std::string& page, const std::string& name);

}  // namespace emplace::cli
