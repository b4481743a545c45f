// rows_of: what Nova and Placement said as rows of the picture, with source "openstack". Pure.
//
// A host is a compute node; its name is that of its nova-compute, or "host/node" where one nova-compute has several
// nodes. Amounts are what Placement's inventories say: only what is there can be claimed, so a node without a provider
// has none, is down, and is named in the notes. Disk that a sharing provider of the same aggregate has counts as the
// node's. What the picture has no columns for travels in nova_state under HostState's names; it has no heartbeats,
// which would rewrite every host with every sync: Nova's own word whether a service is up becomes the host's state, and
// nova_state.service is there only for services that are disabled or down.
//
// A vm is a server; a server group's name is its uuid, since Nova's names of groups are not unique.
#pragma once

#include <string>
#include <vector>

#include "service/core/change/change.h"
#include "service/core/doors/cloud.h"
#include "service/openstack/cloud.h"

namespace emplace::openstack {

struct CloudRows {
  // Without deleted_vms. Hosts and vms are there together, once all that they are made of is known: a host without its
  // vms would be one with room. Server groups and compute nodes that can't be read hold them up no longer than until
  // that is known: then the hosts name what they lack as unread.
  CloudReport report;
  std::vector<std::string> notes;  // for an operator: what looks odd
};

CloudRows rows_of(const Cloud& cloud);

VmState vm_state_of(const Server& server);
// As Nova counts it for IoOpsFilter: builds, resizes, rebuilds, snapshots, backups, rescues, unshelves.
bool is_io_heavy(const Server& server);

}  // namespace emplace::openstack
