// Names that a request makes: of hosts, vms, groups, aggregates, zones, racks, projects, profiles, traits. None may
// have characters that do not show (service/core/base/shown_text.h): two names that differ would look the same.
//
// Names that only point at something are let through, since what came from OpenStack or libvirt has the name that it
// has there: members such as `host`, `hosts` and `only_hosts`, and what Nova wrote. So is free text: parameters,
// metadata.
//
// Threads: pure functions. Complexity: linear; a body in ASCII without escapes is only scanned.
#pragma once

#include <string_view>

#include "service/core/base/result.h"

namespace emplace::http {

// kInvalid with the field, what was wanted and what was found. A body that is no JSON is left to whoever reads it.
Result<void> check_names(std::string_view body);

// The same for a name that stands in a path, with what every name must be.
Result<void> check_path_name(std::string_view name);

}  // namespace emplace::http
