// What to tell of a host that NUMATopologyFilter refused. Worked out on demand, from the same fitting.
#pragma once

#include "emplace/plugin.hpp"
#include "numa/numa_fit.h"

namespace emplace::nova {

// `obstacle`: what NumaFitting answered for this host.
plugin::Refusal numa_refusal(const NumaRequest& request, const NumaTopology& host, const NumaLimits& limits,
                             NumaObstacle obstacle);

}  // namespace emplace::nova
