// What a RequestSpec asks of a host by Placement's words, as ResourceRequest.from_request_spec in
// nova/scheduler/utils.py makes it of flavor and image: amounts with the flavor's "resources:" in their place,
// dedicated cores as PCPU, required and forbidden traits. Of granular groups ("resources1:") the amounts are added up;
// which provider of a host has them is Placement's to say, and their traits are not read.
#pragma once

#include <optional>

#include "service/core/change/takes.h"
#include "service/core/json/json.h"
#include "service/core/request/request.h"

namespace emplace {

// `spec`: the fields of the primitive; faults go to `errors`, with paths below `root`.
void read_flavor(JsonFields& spec, const std::string& root, VmRequest& vm, JsonErrors& errors);

// The classes of a flavor alone, without its image, as VmRequest::resources has them; mixed cores are counted as
// shared.
ResourceAmounts flavor_resources(std::optional<JsonValue> extra_specs, double vcpus);

// The fields of a versioned object; the value itself where it is none.
JsonValue data_of(JsonValue value);

}  // namespace emplace
