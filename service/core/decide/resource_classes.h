// Placement's resource classes: what a vm takes of a host by class, and what of it is free there. A host whose state
// comes from OpenStack names its inventories (hosts.nova_state, "placement"); of VCPU, MEMORY_MB and DISK_GB the
// picture's columns say what is free, and every host has them.
//
// A host has two budgets of CPUs where it has an inventory of PCPU. Elsewhere dedicated cores are taken of its VCPU, as
// Nova falls back to (nova/scheduler/manager.py, [workarounds] disable_fallback_pcpu_query).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/core/decide/query.h"

namespace emplace {

struct ResourceNeed {
  std::string name;            // of the class
  double wanted = 0;           // > 0
  std::optional<double> free;  // nothing: not known of this host
};

// By name. Amounts that the vm does not ask for are left out.
std::vector<ResourceNeed> resource_needs(const Query& query, std::uint32_t host);

// Of each class that the host has an inventory of, and what vms take there; without VCPU, MEMORY_MB and DISK_GB.
struct ResourceState {
  std::string name;
  double capacity = 0, used = 0;
};
std::vector<ResourceState> resource_states(const Picture& picture, std::uint32_t host);

bool has_resource(const Picture& picture, std::uint32_t host, std::string_view name);

// Nova asked Placement before it sent the host's state here, and that state says nothing of it.
bool is_sent_by_nova(const Picture& picture, std::uint32_t host);

// What the query's vm takes there by class (takes.h); empty where its vCPUs, memory and disk say it all.
std::string resource_takes(const Query& query, std::uint32_t host);

}  // namespace emplace
