// Reads a placement request from JSON, strictly: unknown fields, duplicate keys, wrong types, numbers out of range,
// names with NUL or of more than 255 characters, depth over 64 are errors that name the field, what was wanted and what
// was found. Names of hosts and groups are checked against the picture by bind() (query.h).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/json/json.h"
#include "service/core/picture/picture.h"
#include "service/core/request/request.h"

namespace emplace {

// The body of POST /v1/placements. `picture`: where a what-if's hosts take the fields from that it does not name; null:
// it must name them all.
Result<PlacementRequest> parse_placement(std::string_view json, const Picture* picture = nullptr);

// Placement's allocation candidates, as the field "allocation_candidates" of that body has them: resource providers of
// hosts. What only Placement can judge has been read then.
void take_candidates(std::vector<Uuid> providers, PlacementRequest& request);

// Of an object that has more: its vm, by exactly one of the fields vm and request_spec. Leaves request.document alone.
void read_asked_vm(JsonFields& fields, PlacementRequest& request, JsonErrors& errors);

// The body of POST /v1/claims: a vm and the host it is to be claimed on, without a decision.
struct ClaimWish {
  VmRequest vm;
  std::string host;
  std::uint32_t ttl_s = 60;
};
Result<ClaimWish> parse_claim(std::string_view json);

// Parts of a request that the core itself reads, whatever rules are enabled (PlacementRequest::parts; a trailing '*'
// takes all below).
std::span<const std::string_view> core_parts();

}  // namespace emplace
