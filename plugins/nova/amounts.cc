#include "amounts.h"

#include <algorithm>
#include <cmath>

namespace emplace::nova {
namespace {

constexpr std::string_view kAttributes[] = {"host",
                                            "nodename",
                                            "uuid",
                                            "_lock_name",
                                            "total_usable_ram_mb",
                                            "total_usable_disk_gb",
                                            "disk_mb_used",
                                            "free_ram_mb",
                                            "free_disk_mb",
                                            "vcpus_total",
                                            "vcpus_used",
                                            "pci_stats",
                                            "numa_topology",
                                            "num_instances",
                                            "num_io_ops",
                                            "failed_builds",
                                            "host_ip",
                                            "hypervisor_type",
                                            "hypervisor_version",
                                            "hypervisor_hostname",
                                            "cpu_info",
                                            "supported_instances",
                                            "limits",
                                            "metrics",
                                            "aggregates",
                                            "instances",
                                            "ram_allocation_ratio",
                                            "cpu_allocation_ratio",
                                            "disk_allocation_ratio",
                                            "cell_uuid",
                                            "updated",
                                            "service",
                                            "stats"};

// Amounts are integers in Nova: 4096 is "4096", not "4096.0".
Value amount(double value) {
  constexpr double kEnd = 0x1p63;  // of what an int64_t holds
  const bool whole = value == std::floor(value) && std::abs(value) < kEnd;
  return whole ? Value(static_cast<std::int64_t>(value)) : Value(value);
}

using Read = Value (*)(const Amounts&, std::uint32_t);
struct Attribute {
  std::string_view name;
  Read read;
};

constexpr Attribute kAmounts[] = {
    {"total_usable_ram_mb", [](const Amounts& a, std::uint32_t host) { return amount(a.total_ram_mb(host)); }},
    {"total_usable_disk_gb", [](const Amounts& a, std::uint32_t host) { return amount(a.total_disk_gb(host)); }},
    {"disk_mb_used", [](const Amounts& a, std::uint32_t host) { return amount(a.disk_mb_used(host)); }},
    {"free_ram_mb", [](const Amounts& a, std::uint32_t host) { return amount(a.free_ram_mb(host)); }},
    {"vcpus_total", [](const Amounts& a, std::uint32_t host) { return amount(a.vcpus_total(host)); }},
    {"vcpus_used", [](const Amounts& a, std::uint32_t host) { return amount(a.vcpus_used(host)); }},
    {"num_instances", [](const Amounts& a, std::uint32_t host) { return amount(a.instances(host)); }},
    {"cpu_allocation_ratio", [](const Amounts& a, std::uint32_t host) { return Value(a.cpu_ratio(host)); }},
    {"ram_allocation_ratio", [](const Amounts& a, std::uint32_t host) { return Value(a.ram_ratio(host)); }},
    {"disk_allocation_ratio", [](const Amounts& a, std::uint32_t host) { return Value(a.disk_ratio(host)); }},
};

}  // namespace

Amounts::Amounts(const plugin::View& picture)
    : name_(picture.column<std::string_view>("hosts", "name")),
      vcpus_(picture.column<double>("hosts", "vcpus")),
      memory_(picture.column<double>("hosts", "memory_mib")),
      disk_(picture.column<double>("hosts", "disk_gib")),
      vcpus_reserved_(picture.column<double>("hosts", "vcpus_reserved")),
      memory_reserved_(picture.column<double>("hosts", "memory_reserved_mib")),
      disk_reserved_(picture.column<double>("hosts", "disk_reserved_gib")),
      vcpus_used_(picture.column<double>("hosts", "vcpus_used")),
      memory_used_(picture.column<double>("hosts", "memory_used_mib")),
      disk_used_(picture.column<double>("hosts", "disk_used_gib")),
      cpu_ratio_(picture.column<double>("hosts", "cpu_allocation_ratio")),
      ram_ratio_(picture.column<double>("hosts", "ram_allocation_ratio")),
      disk_ratio_(picture.column<double>("hosts", "disk_allocation_ratio")),
      vm_count_(picture.column<double>("hosts", "vm_count")) {}

double Amounts::at(const plugin::Column<double>& column, std::uint32_t host) {
  if (!column.valid(host)) throw plugin::Error("wanted the amounts of each host, found one without");
  return column[host];
}

double Amounts::free_disk_mb(std::uint32_t host, const HostState* state) const {
  double free_gb = at(disk_, host) - at(disk_reserved_, host) - at(disk_used_, host);
  const Value* least = state ? state->attributes.find("disk_available_least") : nullptr;
  if (least && least->whole()) free_gb = std::min(free_gb, static_cast<double>(*least->whole()));
  return free_gb * 1024;
}

Value Amounts::attribute(std::string_view name, std::uint32_t host, const HostState* state) const {
  try {
    for (const auto& [known, read] : kAmounts) {
      if (known == name) return read(*this, host);
    }
    if (name == "free_disk_mb") return amount(free_disk_mb(host, state));
  } catch (const plugin::Error&) {
    return Value();  // of this host it is not known; the others must still be judged
  }
  const Value* found = state && has_attribute(name) ? state->attributes.find(name) : nullptr;
  if (found) return *found;
  return name == "host" && name_.valid(host) ? Value(std::string(name_[host])) : Value();
}

bool has_attribute(std::string_view name) { return std::ranges::find(kAttributes, name) != std::end(kAttributes); }

}  // namespace emplace::nova
