// What a hypervisor sees of a vm beside what is stored of it. Pure functions on values.
#pragma once

#include <string>
#include <vector>

#include "service/core/change/change.h"
#include "service/core/doors/sightings.h"

namespace emplace {

// The row with what a hypervisor is the one to know: name, state, size. A vm of ours keeps the disk that it was
// promised, when it has less; of OpenStack's vms only the state is a hypervisor's to say.
VmRow as_seen(VmRow row, const DomainSeen& seen);

// The row of a vm that others made there.
VmRow found_vm(const std::string& host, const DomainSeen& seen);
// The id under which the copy on `host` of a vm that also runs elsewhere is stored: the same wherever it is worked out.
Uuid copy_id(const Uuid& vm, const std::string& host);

// "memory_mib: stored 512, seen 8192", of what is known of both: what a vm may grow to is first told by a report.
std::vector<std::string> differences(const VmRow& row, const DomainSeen& seen);
// Whether a report would change nothing.
bool is_as_seen(const VmRow& row, const DomainSeen& seen);

}  // namespace emplace
