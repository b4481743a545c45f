// What we read of libvirt's XML: who a domain is and whose, and what a host offers. Total on any input; broken XML is
// an Error with its line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/base/uuid.h"

namespace emplace {

// Elements of <metadata> in these namespaces say who owns a domain. Nova's carries a version at its end.
inline constexpr const char* kEmplaceNamespace = "https://emplace.dev/xmlns/1";
inline constexpr const char* kNovaNamespacePrefix = "http://openstack.org/xmlns/libvirt/nova/";

struct DiskXml {
  std::string target;     // "vda"
  std::string path = {};  // of a file or device; empty: it has none
};
struct DomainXml {
  std::string type;  // "kvm", "qemu", "test"
  std::string name;
  std::optional<Uuid> id = {};
  std::optional<Uuid> claim = {};  // of <emplace:vm claim="...">
  bool nova = false;
  double vcpus_max = 0, memory_max_mib = 0;  // what it may grow to as it is defined here
  std::vector<DiskXml> disks = {};           // that a guest may write to and that have a source
};
Result<DomainXml> read_domain_xml(const std::string& xml);

struct CellXml {
  std::uint32_t id = 0;
  double memory_mib = 0;
  std::vector<int> cpus = {};  // numbers of the host's CPUs
};
struct CapabilitiesXml {
  std::string host_uuid = {};  // as its firmware or its configuration says; not always, and not always its own
  std::string arch = {};
  std::vector<std::string> domain_types = {};  // for full virtualisation of the host's own arch
  std::vector<CellXml> cells = {};
};
Result<CapabilitiesXml> read_capabilities_xml(const std::string& xml);

struct PoolXml {
  std::string type, path;
};
Result<PoolXml> read_pool_xml(const std::string& xml);

// The text of an attribute or element value. kInvalid for characters that XML can't carry at all.
Result<std::string> escape_xml(const std::string& text);

}  // namespace emplace
