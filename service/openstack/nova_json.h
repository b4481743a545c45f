// Nova's answers (microversion kNovaVersion) as values. Pure. Fields that we do not read are ignored: Nova may add
// some; a field that is missing or of the wrong kind is kUnavailable with its path, so that half an answer never
// becomes rows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/core/result.h"
#include "service/openstack/cloud.h"

namespace emplace::openstack {

// Server groups with rules (2.64), servers of unreachable cells (2.69), flavors inside servers (2.47); from 2.88 on
// hypervisors no longer tell their cpu_info.
inline constexpr std::string_view kNovaVersion = "2.73";

template <typename Row>
struct Listed {
  std::vector<Row> rows;
  bool more = false;  // a following page is announced
};

Result<Listed<Hypervisor>> read_hypervisors(std::string_view body);
Result<std::vector<ComputeService>> read_services(std::string_view body);  // nova-compute's only
Result<std::vector<NovaAggregate>> read_aggregates(std::string_view body);
Result<Listed<ServerGroup>> read_server_groups(std::string_view body);
Result<Listed<Server>> read_servers(std::string_view body);

// Whether the API described by the document at the root of an endpoint (Nova's and Placement's) can answer in `wanted`;
// else kUnavailable with what it can.
Result<void> check_version(std::string_view body, std::string_view service, std::string_view wanted);

}  // namespace emplace::openstack
