// Recovery: moves and deletes whose process died are ended by what is seen of their vms. Nothing is tried again; what
// can't be seen now is looked up the next time, and a claim on a destination ends with its time. Starts are finished by
// Scheduler::recover().
#pragma once

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/doors/hypervisors.h"
#include "service/core/doors/store.h"

namespace emplace {

// Idempotent, but for one replica at a time.
Result<void> end_forsaken(Store& store, Hypervisors& hypervisors, std::int64_t now_us, Deadline deadline);

}  // namespace emplace
