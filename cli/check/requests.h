// Random requests for a random cluster (cluster.h), as bodies of placements: small and large vms, known and new ones,
// with groups, zones and traits; every third one as Nova sends it.
#pragma once

#include <string>
#include <vector>

#include "cli/check/cluster.h"

namespace emplace::check {

std::vector<std::string> random_requests(Random& random, std::uint32_t vms, std::size_t count);

}  // namespace emplace::check
