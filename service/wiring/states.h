// What the rooms say of themselves, as the API shows it: no room knows another.
#pragma once

#include <string>
#include <vector>

#include "service/configuration/config.h"
#include "service/hypervisor/hosts.h"
#include "service/openstack/openstack.h"
#include "service/plugins/plugins.h"
#include "service/rest/api.h"
#include "service/rest/auth.h"
#include "service/store/postgres_store.h"

namespace emplace {

// `was_read`: the cloud was read as a whole once, so that there is a picture to decide on.
std::vector<http::SourceState> source_states(const openstack::Openstack& cloud, bool was_read);
std::vector<http::PluginState> plugin_states(const Plugins& loaded);
std::vector<http::HypervisorState> hypervisor_states(const LibvirtHosts& hosts);
http::DatabaseState database_state(const PostgresStore& store);
// What an operator should know of this replica's own surroundings: its disk, and whether anybody may use it.
std::vector<std::string> own_warnings(const Config& config, const http::Tokens& tokens);

}  // namespace emplace
