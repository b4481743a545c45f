// What --check-config checks: everything that can be said about a configuration without starting anything.
#pragma once

#include "service/configuration/config.h"
#include "service/core/base/result.h"

namespace emplace {

// Where to listen, and where the database is, as far as that can be said without trying.
Result<void> check_addresses(const Config& config);

// Prints its notes, and that all is well.
Result<void> check(const Config& config);

}  // namespace emplace
