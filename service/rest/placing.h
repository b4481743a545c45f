// What placing a vm needs besides the scheduler and depends on the picture alone, so that a replay finds the same.
#pragma once

#include <string>

#include "service/core/base/result.h"
#include "service/core/decide/rules.h"
#include "service/core/picture/picture.h"
#include "service/core/request/request.h"

namespace emplace::http {

// A vm is only started where a hypervisor can: such a request may consider only hosts of source "libvirt" on which its
// name is free. kConflict "emplace.host.not_driven" when there is none among those it names, or at all, and
// "emplace.vm.name_taken".
Result<void> start_only_where_driven(PlacementRequest& request, const Picture& picture);

// "capacity.memory: wanted 4096, found 812 MiB"
std::string sentence(const emplace::Refusal& why);

}  // namespace emplace::http
