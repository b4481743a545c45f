#include <fmt/format.h>

#include "cli/commands.h"

namespace emplace::cli {

void list_hosts(Session& session, const ListOptions& options) {
  const std::vector<Json> hosts = list_all(session.client(), list_target("hosts", options), "hosts");
  if (print_as_json(session, "hosts", hosts)) return;
  Table table({"HOST", "STATE", "SOURCE", "ZONE", "RACK", "VCPUS>", "USED>", "MEMORY>", "USED>", "VMS>"});
  for (const Json& host : hosts) {
    const double vcpus = host["capacity"]["vcpus"].number();
    const double memory = host["capacity"]["memory_mib"].number();
    table.row({host["name"].text(), host["state"].text(), host["source"].text(), host["zone"].text(),
               host["rack"].text(), amount(vcpus), share(host["used"]["vcpus"].number(), vcpus), mebibytes(memory),
               share(host["used"]["memory_mib"].number(), memory), host["vm_count"].text()});
  }
  table.print();
}

void show_host(Session& session, const std::string& name) {
  const Json host = session.client().ask({.target = path_of("hosts", name)});
  if (session.json) return print_json(host);
  for (const auto& [key, value] : host.members()) {
    if (key == "numa" || value.is_null() || (value.is_array() && value.size() == 0)) continue;
    fmt::print("{:<24} {}\n", key, printable(value.text()));
  }
  int cell = 0;
  for (const Json& numa : host["numa"].items()) {
    fmt::print("{:<24} {} vcpus, {} free; {}, {} free\n", fmt::format("numa cell {}", cell++), numa["vcpus"].text(),
               numa["vcpus_free"].text(), mebibytes(numa["memory_mib"].number()),
               mebibytes(numa["memory_free_mib"].number()));
  }
}

void set_host(Session& session, const HostOptions& options) {
  JsonWriter body;
  body.begin_object().field("state", options.state).end_object();
  const Json host =
      session.client().ask({.method = "PATCH", .target = path_of("hosts", options.name), .body = body.take()});
  if (session.json) return print_json(host);
  fmt::print("{} is {}\n", printable(options.name), options.state);
}

void remove_host(Session& session, const std::string& name) {
  session.client().ask({.method = "DELETE", .target = path_of("hosts", name)});
  if (!session.json) fmt::print("{} is removed\n", printable(name));
}

}  // namespace emplace::cli
