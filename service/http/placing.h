// What placing a vm needs besides the scheduler and depends on the picture alone, so that a replay finds the same.
#pragma once

#include "service/core/picture.h"
#include "service/core/request.h"
#include "service/core/result.h"

namespace emplace::http {

// A vm is only started where a hypervisor can: such a request may consider only hosts of source "libvirt". kConflict
// "emplace.host.not_driven" when there is none among those it names, or at all.
Result<void> start_only_where_driven(PlacementRequest& request, const Picture& picture);

}  // namespace emplace::http
