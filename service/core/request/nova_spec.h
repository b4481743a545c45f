// A Nova RequestSpec primitive ("nova_object.data" and so on, as oslo.versionedobjects writes them) as a VmRequest.
// What maps onto our own constraints is mapped; the rest travels as it came (VmRequest::nova_spec) for rules that know
// Nova. Fields that this release does not know are no error, Nova adds some with every release, but they appear among
// the parts, so that an answer can say that nobody read them.
#pragma once

#include <string>
#include <vector>

#include "service/core/json/json.h"
#include "service/core/picture/picture.h"
#include "service/core/request/request.h"

namespace emplace {

// What a host's nova_state names as unread where the server groups of its cloud could not be read.
inline constexpr std::string_view kServerGroups = "server_groups";

// A text of a host's nova_state ("host", "nodename", "cell_uuid"); empty where it is not known.
std::string nova_text(const Picture& picture, std::uint32_t host, std::string_view key);

// Fills `vm` and `parts`, and `count` from num_instances. Faults go to `errors`, with paths below "request_spec".
void read_nova_spec(JsonValue spec, VmRequest& vm, std::uint32_t& count, std::vector<std::string>& parts,
                    JsonErrors& errors);

}  // namespace emplace
