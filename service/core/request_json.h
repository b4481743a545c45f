// Reads a placement request from JSON, strictly: unknown fields, duplicate keys, wrong types, numbers out of range, names with
// NUL or of more than 255 bytes, depth over 64 are errors that name the field, what was wanted and what was found. Names of
// hosts and groups are checked against the picture by bind() (query.h).
#pragma once

#include <string_view>

#include "service/core/request.h"
#include "service/core/result.h"

namespace emplace {

// The body of POST /v1/placements.
Result<PlacementRequest> parse_placement(std::string_view json);

}  // namespace emplace
