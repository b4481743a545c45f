// The body of POST /v1/inventory:import. What is accepted makes a picture, and the export of that picture makes it
// again.
#include "service/core/change/inventory_json.h"

#include "tests/fuzz/cluster.h"
#include "tests/fuzz/targets.h"

namespace emplace::fuzz {

void inventory(std::string_view input) {
  const auto changes = parse_inventory(input, 1'000'000);
  if (!changes) return require_clear(changes.error());
  const std::string exported = inventory_json(*picture_of(*changes));
  const auto again = parse_inventory(exported, 2'000'000);
  require(again.has_value(), "an export can be imported: " + (again ? "" : again.error().message) + "\n" + exported);
  const std::string exported_again = inventory_json(*picture_of(*again));
  require(exported_again == exported, "an export of its import is itself:\n" + exported + "\n" + exported_again);
}

}  // namespace emplace::fuzz
