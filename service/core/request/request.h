// PlacementRequest: what is to be placed, with its constraints and options, as values. It comes from the "vm" shape of
// the REST contract or from a Nova RequestSpec primitive; request_json.h reads both. Amounts are whole numbers >= 0.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "service/core/base/uuid.h"
#include "service/core/change/change.h"

namespace emplace {

// A server group as a RequestSpec tells it: with members and hosts that the picture may not have.
struct ServerGroupTold {
  Uuid id = {};
  GroupPolicy policy = GroupPolicy::kAntiAffinity;
  double max_per_host = 1;
  std::vector<Uuid> members = {};
  std::vector<std::string> hosts = {};
};

struct VmRequest {
  Uuid id = {};  // zero: none yet (a dry run); a claim gives it one before the decision is made
  std::string name = {};
  double vcpus = 0, memory_mib = 0, disk_gib = 0;
  std::string project = {};
  std::string group = {};                          // name of a server group
  std::optional<ServerGroupTold> group_told = {};  // instead of the name
  std::string zone = {};
  // By Placement's resource class, what the vm takes otherwise than its vCPUs, memory and disk say ("VCPU" 0 and "PCPU"
  // 4 of one with dedicated cores), and beside them ("CUSTOM_GPU" 1).
  std::map<std::string, double, std::less<>> resources = {};
  std::vector<std::string> traits = {};
  std::vector<std::string> forbidden_traits = {};
  std::uint32_t numa_nodes = 0;
  Spread spread = {};
  std::string image = {};
  std::string flavor = {};
  std::string domain_template = {};                    // "template" on the wire
  std::map<std::string, std::string> parameters = {};  // for the template
  std::string nova_spec = {};                          // the RequestSpec primitive as it came; empty: not from Nova
  std::vector<std::string> only_hosts = {};            // not empty: only these may be considered
  std::vector<std::string> only_nodes = {};  // Nova's name for one of several hosts that a service has; likewise
  std::vector<std::string> ignore_hosts = {};
  // Sorted resource providers of hosts that Placement gave as its allocation candidates; nothing: it was not asked, so
  // that the picture says what has room.
  std::optional<std::vector<Uuid>> allocation_candidates = {};
};

enum class ExplainLevel { kNone, kSummary, kFull };

struct PlacementOptions {
  std::uint32_t count = 1;
  std::string profile = "default";
  bool dry_run = false;
  bool claim = false;
  std::uint32_t ttl_s = 60;
  bool start = false;        // implies claim
  bool unique_name = false;  // with claim: see ClaimOrder
  std::uint32_t alternates = 3;
  ExplainLevel explain = ExplainLevel::kSummary;
  bool record = false;
  std::vector<Change> what_if = {};
  std::uint32_t deadline_ms = 0;  // 0: the service's own
};

struct PlacementRequest {
  VmRequest vm;
  PlacementOptions options;
  // Every part of the request that asks for something ("vm.zone", "request_spec.pci_requests",
  // "request_spec.flavor.extra_specs.hw:cpu_policy"), so that what no rule read can be named in the answer.
  std::vector<std::string> parts;
  std::string document;           // the request as it came, for plugins and for the stored decision
  std::string unread_cloud = {};  // why a cloud's hosts are none of the candidates, though they may be; empty: they are
  std::string placement_note = {};  // what must be said of Placement's allocation candidates; empty: nothing
  bool discreet = false;  // refusals are told without what was wanted and found: that can be another project's
};

// Instance i of a multi-create: the name gets "-1", "-2", ... when count > 1.
VmRequest instance_of(const PlacementRequest& request, std::uint32_t i);

}  // namespace emplace
