// What the rooms say of themselves, as the API shows it: no room knows another.
#pragma once

#include <vector>

#include "service/http/api.h"
#include "service/hypervisor/hosts.h"
#include "service/openstack/openstack.h"
#include "service/plugins/plugins.h"

namespace emplace {

// Null: no cloud, and no states.
std::vector<http::SourceState> source_states(const openstack::Openstack* cloud);
std::vector<http::PluginState> plugin_states(const Plugins& loaded);
std::vector<http::HypervisorState> hypervisor_states(const LibvirtHosts& hosts);

}  // namespace emplace
