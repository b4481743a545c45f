// HostStates: a small picture made of the host states that a caller of /v1/filter or /v1/weigh sends, so that the rules
// of the service answer for hosts that it does not know. A state has Nova's HostState attributes as scalars; all of it
// is kept as the host's nova_state, and what the picture has columns for is derived from it. Amounts that a state does
// not have stay invalid. A host and node may share a host name with another node; then the row's name is "host/node".
//
// Each call makes an arena of its own that goes with the picture.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "service/core/json/json.h"
#include "service/core/picture/picture.h"

namespace emplace::http {

struct HostStates {
  std::shared_ptr<const Picture> picture;
  std::vector<std::string> names;  // of the rows, in the order sent
  std::vector<std::string> hosts;  // as the caller calls them
};

Result<HostStates> read_host_states(JsonValue list, std::int64_t now_us);

}  // namespace emplace::http
