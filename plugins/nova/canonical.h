// Nova's standard names of architectures, hypervisor types and vm modes, and the aliases it knows for them. Each throws
// plugin::Error for a name that Nova would not take.
#pragma once

#include <string>
#include <string_view>

namespace emplace::nova {

std::string canonical_architecture(std::string_view name);
std::string canonical_hypervisor(std::string_view name);
std::string canonical_vm_mode(std::string_view name);

}  // namespace emplace::nova
