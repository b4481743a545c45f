#include <cmath>
#include <string>

#include "service/configuration/sections.h"

namespace emplace {
namespace {

void read_host(Section& section, HostEntry& host) {
  section.own_name("name", host.name);
  section.required("uri");
  section.uri("uri", host.uri, "qemu+tls://h1/system");
  if (section.find("uri") != nullptr && host.uri.empty())
    section.wrong("uri", *section.find("uri"), "a URI, not an empty one");
  section.name("zone", host.zone);
  section.name("rack", host.rack);
  section.uri("peer_uri", host.peer_uri, "qemu+tls://h1/system");
  section.uri("migration_uri", host.migration_uri, "tcp://10.0.0.2");
  double disk_gib = std::nan("");
  section.number("disk_gib", disk_gib, 0, 1e12);
  if (!std::isnan(disk_gib)) host.disk_gib = disk_gib;
  section.number("cpu_allocation_ratio", host.cpu_allocation_ratio, 0.01, 1000);
  section.number("ram_allocation_ratio", host.ram_allocation_ratio, 0.01, 1000);
  section.number("disk_allocation_ratio", host.disk_allocation_ratio, 0.01, 1000);
  section.number("reserved_memory_mib", host.reserved_memory_mib, 0, 1e12);
  section.number("reserved_vcpus", host.reserved_vcpus, 0, 1e6);
  section.number("reserved_disk_gib", host.reserved_disk_gib, 0, 1e12);
  section.texts("traits", host.traits);
  section.texts("aggregates", host.aggregates);
}

}  // namespace

void read_libvirt(Section& root, Config& config) {
  root.table("libvirt", [&](Section& s) {
    std::string file;
    s.text("domain_template", file);
    if (!file.empty()) config.domain_templates[""] = file;
    s.texts_by_name("templates", config.domain_templates);
    s.whole("poll_s", config.poll_s, 1, 86'400);
  });
  root.tables("host", [&](Section& s) { read_host(s, config.hosts.emplace_back()); });
}

}  // namespace emplace
