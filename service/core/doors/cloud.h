// The doors to a cloud: what it says of itself, where it has room, and who its users are (service/openstack).
//
// Threads: any. Every call waits at most until its deadline.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/base/uuid.h"
#include "service/core/change/change.h"
#include "service/core/doors/finding.h"
#include "service/core/request/request.h"

namespace emplace {

// Whole tables as they are now, with source "openstack"; a table that could not be read is absent and stays as it was.
struct CloudReport {
  std::optional<std::vector<AggregateRow>> aggregates = {};
  std::optional<std::vector<GroupRow>> groups = {};
  std::optional<std::vector<HostRow>> hosts = {};
  std::optional<std::vector<VmRow>> vms = {};
  std::set<Uuid> deleted_vms = {};     // that the cloud says are deleted, rather than only lists no more
  std::vector<Finding> findings = {};  // what is wrong with the hosts; their names are kCloudFindings
  std::int64_t read_at_us = 0;         // with hosts and vms: when the oldest of what they are made of was read
};

// The owner of a token.
struct Caller {
  std::string user, project;
  std::vector<std::string> roles;
  std::int64_t expires_at_us = 0;
};

// Hosts by their resource providers.
struct CandidateHosts {
  std::vector<Uuid> providers = {};  // sorted
  bool cut_off = false;              // Placement may have more, and does not give them at once
};

// Placement's allocation candidates.
class AllocationCandidates {
 public:
  virtual ~AllocationCandidates() = default;
  // The hosts on which it has room for the vm. Nothing: the picture can say it as well, or is to by configuration.
  // kUnavailable, kTimeout, kForbidden: Placement does not say; kInvalid: it refuses the request, such as a trait that
  // it does not know.
  virtual Result<std::optional<CandidateHosts>> candidates(const VmRequest& vm, Deadline deadline) = 0;
};

// Knows tokens that are not ours.
class TokenAuthority {
 public:
  virtual ~TokenAuthority() = default;
  // What was found out lately, without waiting; nothing: ask verify().
  virtual std::optional<Result<Caller>> remembered(std::string_view token) = 0;
  // Waits. kUnauthorized for a token that is unknown, expired or revoked; kUnavailable, kTimeout: nobody could say.
  virtual Result<Caller> verify(const std::string& token, Deadline deadline) = 0;
};

}  // namespace emplace
