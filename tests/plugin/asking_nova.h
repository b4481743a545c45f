// What the tests of Nova's rules share: the plugin as it was built, requests as Nova sends them, hosts with Nova's state.
#pragma once

#include <string>

#include "tests/plugin/asking.h"

namespace emplace::asking {

inline const Loaded& nova() {
  static const Loaded loaded("nova", "{}", settings(EMPLACE_BUILT_PLUGINS));
  return loaded;
}

// `fields`: of its RequestSpec, without the braces.
inline VmRequest from_nova(const std::string& fields) {
  VmRequest made = request();
  made.nova_spec = R"({"nova_object.name":"RequestSpec","nova_object.data":{)" + fields + "}}";
  return made;
}

inline HostRow with_state(const std::string& name, const std::string& nova_state) {
  HostRow row = host(name);
  row.nova_state = nova_state;
  return row;
}

}  // namespace emplace::asking
