#include "amounts.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "clones.h"

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

using Read = Value (*)(const Amounts&, std::uint32_t, const HostState*);
struct Attribute {
  std::string_view name;
  Read read;
};

constexpr Attribute kAmounts[] = {
    {"total_usable_ram_mb",
     [](const Amounts& a, std::uint32_t host, const HostState*) { return amount(a.total_ram_mb(host)); }},
    {"total_usable_disk_gb",
     [](const Amounts& a, std::uint32_t host, const HostState*) { return amount(a.total_disk_gb(host)); }},
    {"free_ram_mb", [](const Amounts& a, std::uint32_t host, const HostState*) { return amount(a.free_ram_mb(host)); }},
    {"vcpus_total", [](const Amounts& a, std::uint32_t host, const HostState*) { return amount(a.vcpus_total(host)); }},
    {"vcpus_used", [](const Amounts& a, std::uint32_t host, const HostState*) { return amount(a.vcpus_used(host)); }},
    {"cpu_allocation_ratio",
     [](const Amounts& a, std::uint32_t host, const HostState*) { return Value(a.cpu_ratio(host)); }},
    {"ram_allocation_ratio",
     [](const Amounts& a, std::uint32_t host, const HostState*) { return Value(a.ram_ratio(host)); }},
    {"disk_allocation_ratio",
     [](const Amounts& a, std::uint32_t host, const HostState*) { return Value(a.disk_ratio(host)); }},
    {"free_disk_mb",
     [](const Amounts& a, std::uint32_t host, const HostState* state) { return amount(a.free_disk_mb(host, state)); }},
    {"num_instances",
     [](const Amounts& a, std::uint32_t host, const HostState* state) { return amount(a.instances(host, state)); }},
};

using Columns = std::initializer_list<const plugin::Column<double>*>;

std::uint32_t block_start(Amounts::Candidates candidates) { return candidates.front() / kBlockRows * kBlockRows; }

// Throws unless each candidate, all of one block, has a value in each column.
void require(Columns columns, Amounts::Candidates candidates) {
  const std::uint32_t first = block_start(candidates);
  const std::size_t bytes = (candidates.back() - first) / 8 + 1;
  std::array<unsigned char, kBlockRows / 8> valid;
  valid.fill(0xff);
  for (const auto* column : columns) {
    const unsigned char* bits = column->validity_from(first);
    for (std::size_t i = 0; bits && i < bytes; ++i) valid[i] &= bits[i];
  }
  if (std::ranges::all_of(valid, [](unsigned char byte) { return byte == 0xff; })) return;
  for (const std::uint32_t host : candidates) {
    const std::uint32_t i = host - first;
    if (((valid[i >> 3] >> (i & 7)) & 1) == 0) {
      throw plugin::Error("wanted the amounts of each host, found one without");
    }
  }
}

NOVA_CLONES void subtract(const double* total, const double* reserved, const double* used, std::span<double> free) {
  for (std::size_t i = 0; i < free.size(); ++i) free[i] = total[i] - reserved[i] - used[i];
}

NOVA_CLONES void multiply_and_subtract(const double* total, const double* ratio, const double* reserved,
                                       const double* used, std::span<double> free) {
  for (std::size_t i = 0; i < free.size(); ++i) free[i] = total[i] * ratio[i] - (reserved[i] + used[i]);
}

NOVA_CLONES void take_lesser(const double* least, double unit, std::span<double> free) {
  for (std::size_t i = 0; i < free.size(); ++i) free[i] = (least[i] < free[i] ? least[i] : free[i]) * unit;
}

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
  if (state && state->least_disk_gb) free_gb = std::min(free_gb, *state->least_disk_gb);
  return free_gb * 1024;
}

void Amounts::free_ram_mb(Candidates candidates, std::span<double> free) const {
  require({&memory_, &memory_reserved_, &memory_used_}, candidates);
  const std::uint32_t first = block_start(candidates);
  const double *total = memory_.values_from(first), *reserved = memory_reserved_.values_from(first),
               *used = memory_used_.values_from(first);
  subtract(total, reserved, used, free);
}

void Amounts::free_vcpus(Candidates candidates, std::span<double> free) const {
  require({&vcpus_, &cpu_ratio_, &vcpus_reserved_, &vcpus_used_}, candidates);
  const std::uint32_t first = block_start(candidates);
  const double *total = vcpus_.values_from(first), *ratio = cpu_ratio_.values_from(first),
               *reserved = vcpus_reserved_.values_from(first), *used = vcpus_used_.values_from(first);
  multiply_and_subtract(total, ratio, reserved, used, free);
}

void Amounts::free_disk_mb(Candidates candidates, const HostBlock& hosts, std::span<double> free) const {
  require({&disk_, &disk_reserved_, &disk_used_}, candidates);
  const std::uint32_t first = block_start(candidates);
  const double *total = disk_.values_from(first), *reserved = disk_reserved_.values_from(first),
               *used = disk_used_.values_from(first);
  subtract(total, reserved, used, free);
  take_lesser(hosts.least_disk_gb.data(), 1024, free);
}

Value Amounts::used_disk_mb(std::uint32_t host) const {
  const bool known = disk_reserved_.valid(host) && disk_used_.valid(host);
  return known ? amount((disk_reserved_[host] + disk_used_[host]) * 1024) : Value();
}

double Amounts::instances(std::uint32_t host, const HostState* state) const {
  return state && state->instances ? static_cast<double>(*state->instances) : at(vm_count_, host);
}

void Amounts::instances(Candidates candidates, const HostBlock& hosts, std::span<double> count) const {
  require({&vm_count_}, candidates);
  const double* picture = vm_count_.values_from(block_start(candidates));
  for (std::size_t i = 0; i < count.size(); ++i) {
    count[i] = std::isnan(hosts.instances[i]) ? picture[i] : hosts.instances[i];
  }
}

Value Amounts::attribute(std::string_view name, std::uint32_t host, const HostState* state) const {
  try {
    for (const auto& [known, read] : kAmounts) {
      if (known == name) return read(*this, host, state);
    }
  } catch (const plugin::Error&) {
    return Value();  // of this host it is not known; the others must still be judged
  }
  if (name == "num_io_ops") return Value(state ? state->io_ops : std::int64_t{0});
  if (name == "failed_builds") return Value(state ? state->failed_builds : std::int64_t{0});
  // Nova reports it apart from what is free, and does not count what it places.
  if (name == "disk_mb_used" && !(state && state->attributes.find(name))) return used_disk_mb(host);
  const Value* found = state ? state->attributes.find(name) : nullptr;
  if (found) return *found;
  return name == "host" && name_.valid(host) ? Value(std::string(name_[host])) : Value();
}

bool is_counted(std::string_view name) {
  return std::ranges::find(kAmounts, name, &Attribute::name) != std::end(kAmounts) || name == "disk_mb_used" ||
         name == "host";
}

bool has_attribute(std::string_view name) { return std::ranges::find(kAttributes, name) != std::end(kAttributes); }

}  // namespace emplace::nova
