// What a RequestSpec asks of Placement, group by group, as nova/scheduler/utils.py makes it of flavor, image and the
// resources that ports and devices ask for: what one provider must have together has a suffix ("resources1:",
// "trait1:"), the rest may come from any of a host's providers. The picture has a host's providers in one, so that only
// Placement can say which of them has room; see AllocationCandidates in cloud.h.
//
// Threads: pure functions.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "service/core/change/takes.h"
#include "service/core/request/request.h"

namespace emplace {

struct RequestGroup {
  ResourceAmounts resources = {};
  std::set<std::string> required = {}, forbidden = {};    // traits
  std::vector<std::vector<std::string>> aggregates = {};  // one of each list
  std::set<std::string> forbidden_aggregates = {};
  std::string in_tree = {};  // a provider; empty: any
};

struct RequestGroups {
  RequestGroup plain = {};
  std::map<std::string, RequestGroup> suffixed = {};
  std::string policy = {};  // of those that are suffixed: "none", "isolate"; empty: it is not said
  std::set<std::string> root_required = {}, root_forbidden = {};  // traits
  std::vector<std::vector<std::string>> same_subtree = {};

  // Whether the picture can't judge it as Placement does.
  bool are_granular() const { return !suffixed.empty(); }
};

// `vm` of a RequestSpec; of any other there is the plain group alone.
RequestGroups request_groups(const VmRequest& vm);

// The same with shared cores in the place of those that a CPU policy dedicates, which Nova asks for as well: hosts of
// old configuration have no inventory of PCPU. Nothing where no policy does.
std::optional<RequestGroups> with_shared_cores(const VmRequest& vm);

}  // namespace emplace
