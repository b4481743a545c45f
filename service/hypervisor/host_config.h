// What an operator says about libvirt hosts: their [[host]] entries and the [libvirt] section. Values; libvirt itself
// is not needed to read this.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "service/hypervisor/domain_template.h"

namespace emplace {

struct HostConfig {
  std::string name;
  std::string uri;  // "qemu+tls://h1/system", "test:///path/host.xml"
  std::string zone = {}, rack = {};
  std::vector<std::string> traits = {}, aggregates = {};
  double cpu_allocation_ratio = 1, ram_allocation_ratio = 1, disk_allocation_ratio = 1;
  double reserved_vcpus = 0, reserved_memory_mib = 0, reserved_disk_gib = 0;
  std::optional<double> disk_gib = {};  // in place of what the host's storage pools say
  std::string peer_uri = {};            // libvirt URI under which other hosts reach this one (peer-to-peer migration);
                                        // empty: `uri`, when that is not a local one
  std::string migration_uri = {};       // "tcp://10.0.0.2": where guests' memory is sent; empty: libvirt finds out
};

struct HypervisorOptions {
  using Milliseconds = std::chrono::milliseconds;

  Milliseconds poll{10'000};  // between two looks at inventory and domains
  Milliseconds connect_deadline{10'000};
  Milliseconds act_deadline{60'000};  // for start, destroy, shut_down; a call that takes longer counts as hung
  Milliseconds retry_first{100};      // after a failed connection; doubles up to retry_most
  Milliseconds retry_most{30'000};
  int keepalive_s = 5, keepalive_count = 3;
  Milliseconds progress_interval{250};                   // of a move
  std::map<std::string, DomainTemplate> templates = {};  // by the name a request gives; "": the operator's default,
                                                         // else the compiled-in one
};

}  // namespace emplace
