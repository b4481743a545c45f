// The world as the rooms are shown it: clocks, ids, and for how long they wait.
//
// Threads: any.
#pragma once

#include <cstdint>

#include "service/core/act/scheduler.h"
#include "service/core/base/deadline.h"
#include "service/core/base/uuid.h"

namespace emplace {

std::int64_t wall_clock_us();
Uuid random_uuid();
Ambient ambient();

// How long a start waits for the database, and how long a reload does.
Deadline start_deadline();
Deadline reload_deadline();

}  // namespace emplace
