// Nova's answers (microversion kNovaVersion) as values. Pure. Fields that we do not read are ignored: Nova may add
// some. A row with a field that is missing or of the wrong kind is left out, with a note that has its path, so that
// half a row never becomes one. A key that every row lacks, and a document that is none, are kUnavailable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"
#include "service/openstack/cloud.h"

namespace emplace::openstack {

// Server groups with rules (2.64), servers of unreachable cells (2.69), flavors inside servers (2.47); from 2.88 on
// hypervisors no longer tell their cpu_info.
inline constexpr std::string_view kNovaVersion = "2.73";

Result<Listed<Hypervisor>> read_hypervisors(std::string_view body);
Result<Listed<ComputeService>> read_services(std::string_view body);  // nova-compute's only
Result<Listed<NovaAggregate>> read_aggregates(std::string_view body);
Result<Listed<ServerGroup>> read_server_groups(std::string_view body);
Result<Listed<Server>> read_servers(std::string_view body);

// Whether the API described by the document at the root of an endpoint (Nova's and Placement's) can answer in `wanted`;
// else kUnavailable with what it can.
Result<void> check_version(std::string_view body, std::string_view service, std::string_view wanted);

}  // namespace emplace::openstack
