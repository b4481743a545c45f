// What a host's nova_state says beyond what Nova's APIs tell: somebody who can see it (an agent on the host, a script
// with access to Nova's database) pushes attributes of Nova's HostState, which stay until they are pushed anew,
// whatever the cloud's next reading says. The state names them in "pushed", and what is pushed is no longer "unread".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "service/core/base/result.h"
#include "service/core/json/json.h"

namespace emplace {

// Bytes of a host's nova_state.
inline constexpr std::size_t kMostNovaState = 4 << 20;

// One attribute as the rules read it: JSON. A text of JSON, as Nova's database keeps it, is read as what it says; null
// says that the host has none of it. kInvalid, naming the attribute, for one that is not for others to say ("host",
// "service", "placement", ...), and for one that is not what Nova's HostState has under that name.
Result<std::string> nova_attribute(std::string_view name, JsonValue value);

// `state` with `attributes`, a JSON object, in the place of those that were pushed before. kInvalid as above.
Result<std::string> with_pushed(std::string_view state, std::string_view attributes);

// `fresh`, as a cloud's reading has it, with what was pushed onto `known`. A fresh state that says itself what was
// pushed stays as it is.
std::string keep_pushed(const std::string& fresh, const std::string& known);

}  // namespace emplace
