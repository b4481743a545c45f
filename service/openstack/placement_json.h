// Placement's answers (microversion kPlacementVersion) as values. Pure; errors as in nova_json.h.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"
#include "service/openstack/cloud.h"

namespace emplace::openstack {

// Trees of providers (1.14), aggregates with generations (1.19).
inline constexpr std::string_view kPlacementVersion = "1.19";

Result<Listed<Provider>> read_providers(std::string_view body);  // without what follows
Result<Told<std::map<std::string, Inventory>>> read_inventories(std::string_view body);
Result<Told<std::map<Uuid, ResourceAmounts>>> read_allocations(std::string_view body);  // by consumer
Result<Told<std::vector<std::string>>> read_traits(std::string_view body);
Result<Told<std::vector<std::string>>> read_provider_aggregates(std::string_view body);

}  // namespace emplace::openstack
