// The sections of emplaced.toml, each read from the root by a function of its own.
#pragma once

#include "service/configuration/config.h"
#include "service/configuration/section.h"

namespace emplace {

void read_service(Section& root, Config& config);   // [service], [database], [auth], [limits]
void read_decision(Section& root, Config& config);  // [decision], [[profile]], [[plugin]]
void read_libvirt(Section& root, Config& config);   // [libvirt], [[host]]
void read_openstack(Section& root, Config& config);

}  // namespace emplace
