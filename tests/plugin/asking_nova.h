// What the tests of Nova's rules share: the plugin as it was built, requests as Nova sends them, hosts with Nova's
// state.
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

// Fields of a RequestSpec: a guest on one dedicated CPU, with pages of `page_kib` where given; one card of Intel's.
inline std::string one_dedicated_cpu(int page_kib = 0) {
  const std::string pages = page_kib != 0 ? R"("pagesize":)" + std::to_string(page_kib) + "," : "";
  return R"("numa_topology":{"nova_object.name":"InstanceNUMATopology","nova_object.data":{"cells":[{"nova_object.data":)"
         R"({"id":7,"cpuset":[],"pcpuset":[0],"memory":4,)" +
         pages + R"("cpu_policy":"dedicated"}}]}})";
}

inline const std::string& one_card() {
  static const std::string fields = R"("pci_requests":{"nova_object.data":{"requests":[{"nova_object.data":{"count":1,)"
                                    R"("spec":[{"vendor_id":"8086"}]}}]}})";
  return fields;
}

inline HostRow with_state(const std::string& name, const std::string& nova_state) {
  HostRow row = host(name);
  row.nova_state = nova_state;
  return row;
}

}  // namespace emplace::asking
