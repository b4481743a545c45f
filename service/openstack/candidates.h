// Candidates: asks Placement for its allocation candidates as nova-scheduler does (GET /allocation_candidates of 1.36),
// where the picture can't say which of a host's providers has room: for requests with granular groups, for all of
// OpenStack's, or never, by configuration.
//
// Threads: any; they wait.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/doors/cloud.h"
#include "service/core/request/request.h"
#include "service/core/request/request_groups.h"
#include "service/openstack/keystone.h"

namespace emplace::openstack {

enum class AskPlacement { kNever, kGranular, kAlways };

// What stands behind the "?".
std::string candidates_query(const RequestGroups& groups);

// The roots of the providers that an answer gives.
Result<CandidateHosts> read_candidates(std::string_view body);

class Candidates : public AllocationCandidates {
 public:
  Candidates(Keystone& keystone, AskPlacement when) : keystone_(keystone), when_(when) {}

  Result<std::optional<CandidateHosts>> candidates(const VmRequest& vm, Deadline deadline) override;

 private:
  Result<CandidateHosts> ask(const RequestGroups& groups, Deadline deadline);

  Keystone& keystone_;
  const AskPlacement when_;
};

}  // namespace emplace::openstack
