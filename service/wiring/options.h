// What the configuration says, in the words of each room: no room knows Config, and main.cc need not spell it out.
#pragma once

#include <memory>
#include <vector>

#include "service/configuration/config.h"
#include "service/core/picture/arena.h"
#include "service/http/server.h"
#include "service/hypervisor/hosts.h"
#include "service/openstack/openstack.h"
#include "service/plugins/plugins.h"

namespace emplace {

// `arena`: of the pictures that workers map.
PluginSettings plugin_settings(std::shared_ptr<Arena> arena);
// Those that it names, or all that lie in the directory.
std::vector<PluginChoice> plugin_choices(const Config& config, const PluginSettings& settings);
std::vector<HostConfig> host_configs(const Config& config);
// kInvalid for a domain template that can't be read.
Result<HypervisorOptions> hypervisor_options(const Config& config);
openstack::OpenstackOptions openstack_options(const OpenstackEntry& entry);
http::Limits server_limits(const Config& config);

}  // namespace emplace
