#include "service/core/act/sighting.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace emplace {

VmRow as_seen(VmRow row, const DomainSeen& seen) {
  row.state = seen.state;
  if (is_of_cloud(row)) return row;
  row.name = seen.name;
  row.vcpus = seen.vcpus;
  row.memory_mib = seen.memory_mib;
  row.vcpus_max = seen.vcpus_max;
  row.memory_max_mib = seen.memory_max_mib;
  const double disk_gib = seen.disk_gib.value_or(row.disk_gib);
  row.disk_gib = row.source == "libvirt" ? std::max(row.disk_gib, disk_gib) : disk_gib;
  return row;
}

VmRow found_vm(const std::string& host, const DomainSeen& seen) {
  VmRow row;
  row.id = seen.id;
  row.host = host;
  row.source = seen.nova ? "nova" : "found";
  return as_seen(std::move(row), seen);
}

Uuid copy_id(const Uuid& vm, const std::string& host) {
  Uuid id;
  const std::string text = to_string(vm) + '/' + host;
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  std::memcpy(id.bytes.data(), &hash.low64, sizeof hash.low64);
  std::memcpy(id.bytes.data() + sizeof hash.low64, &hash.high64, sizeof hash.high64);
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x80);  // version 8: of our own making
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

std::vector<std::string> differences(const VmRow& row, const DomainSeen& seen) {
  const VmRow next = as_seen(row, seen);
  std::vector<std::string> found;
  const auto compare = [&](const char* what, const auto& stored, const auto& now) {
    if (stored != now) found.push_back(fmt::format("{}: stored {}, seen {}", what, stored, now));
  };
  compare("state", to_string(row.state), to_string(next.state));
  compare("name", row.name, next.name);
  compare("vcpus", row.vcpus, next.vcpus);
  compare("memory_mib", row.memory_mib, next.memory_mib);
  compare("disk_gib", row.disk_gib, next.disk_gib);
  if (row.vcpus_max > 0) compare("vcpus_max", row.vcpus_max, next.vcpus_max);
  if (row.memory_max_mib > 0) compare("memory_max_mib", row.memory_max_mib, next.memory_max_mib);
  return found;
}

bool is_as_seen(const VmRow& row, const DomainSeen& seen) {
  const VmRow next = as_seen(row, seen);
  return next.vcpus_max == row.vcpus_max && next.memory_max_mib == row.memory_max_mib && differences(row, seen).empty();
}

}  // namespace emplace
