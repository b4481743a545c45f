// The rules that need no plugin, by kind; built_in_rules() (rules.h) puts them into one catalogue.
#pragma once

#include <memory>
#include <vector>

#include "service/core/decide/rules.h"

namespace emplace {

// capacity, state, zone, traits, group, spread.
std::vector<std::shared_ptr<const Filter>> built_in_filters();

// resource.load      % of the host's capacity in use after placing, of the resource that is fullest.
// resource.stranding % of the host's capacity that this placement makes unusable (less than 0: makes usable again).
//     Reference shapes are 1/1, 1/2, 1/4 and 1/8 of the host, in the proportions of its own capacity and spread evenly
//     over its NUMA cells. For one shape, what is free and lies in no whole copy of the shape is stranded; the host's
//     stranding is the mean over the resources it has and over the four shapes, and the cost is stranding after minus
//     before. So a vm is cheap where it fills a gap, and dear where it breaks into an empty host or uses up one
//     resource and leaves the other. Q. Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with
//     Fragmentation Gradient Descent", USENIX ATC 2023, has the idea of pricing the increase of what typical tasks
//     can't use; we differ in taking shapes from the host and not from the workload, so that the cost needs no history.
// group.fit          vms that the group's policy would rather have otherwise: for soft-anti-affinity, members on this
// host;
//     for soft-affinity, members elsewhere; for either affinity without any member yet, how many vms of this size fewer
//     than the roomiest candidate the host could take, since the first member decides for all. No data for other
//     requests.
std::vector<std::shared_ptr<const Objective>> built_in_objectives();

}  // namespace emplace
