// The resource amounts of Nova's HostState, from the picture's columns, which count held claims as Nova's own consume
// does. Reserved amounts count as used, as Nova's resource tracker reports them.
#pragma once

#include <cstdint>
#include <optional>

#include "emplace/view.hpp"
#include "host_states.h"

namespace emplace::nova {

class Amounts {
 public:
  explicit Amounts(const plugin::View& picture);

  // Each throws plugin::Error when the host's columns are not known.
  double free_ram_mb(std::uint32_t host) const {
    return total_ram_mb(host) - at(memory_reserved_, host) - at(memory_used_, host);
  }
  double total_ram_mb(std::uint32_t host) const { return at(memory_, host); }
  double vcpus_total(std::uint32_t host) const { return at(vcpus_, host); }
  double vcpus_used(std::uint32_t host) const { return at(vcpus_reserved_, host) + at(vcpus_used_, host); }
  double cpu_ratio(std::uint32_t host) const { return at(cpu_ratio_, host); }
  double ram_ratio(std::uint32_t host) const { return at(ram_ratio_, host); }
  double disk_ratio(std::uint32_t host) const { return at(disk_ratio_, host); }
  double total_disk_gb(std::uint32_t host) const { return at(disk_, host); }
  // The lesser of free_disk_gb and disk_available_least, where the latter is known.
  double free_disk_mb(std::uint32_t host, const HostState* state) const;

  // The same for the first hosts of a block, as many as `free` takes; candidates are those rows of it that are needed.
  using Candidates = std::span<const std::uint32_t>;
  void free_ram_mb(Candidates candidates, std::span<double> free) const;
  void free_vcpus(Candidates candidates, std::span<double> free) const;
  void free_disk_mb(Candidates candidates, const HostBlock& hosts, std::span<double> free) const;

  // As many as Nova says, else as the picture has on the host.
  void instances(Candidates candidates, const HostBlock& hosts, std::span<double> count) const;
  double instances(std::uint32_t host, const HostState* state) const;

  // The HostState attribute of that name: amounts from the columns, all else from nova_state; None when there is none,
  // and for an amount that is not known.
  Value attribute(std::string_view name, std::uint32_t host, const HostState* state) const;

 private:
  static double at(const plugin::Column<double>& column, std::uint32_t host);
  Value used_disk_mb(std::uint32_t host) const;

  plugin::Column<std::string_view> name_;
  plugin::Column<double> vcpus_, memory_, disk_, vcpus_reserved_, memory_reserved_, disk_reserved_, vcpus_used_,
      memory_used_, disk_used_, cpu_ratio_, ram_ratio_, disk_ratio_, vm_count_;
};

// Whether attribute() reads it from the picture's columns, so that it changes without the host's state.
bool is_counted(std::string_view name);
// Whether Nova's HostState has an attribute of that name, set or not.
bool has_attribute(std::string_view name);

}  // namespace emplace::nova
