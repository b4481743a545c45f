#include <fmt/format.h>

#include "cli/commands.h"

namespace emplace::cli {
namespace {

struct Totals {
  double hosts = 0, enabled = 0, vcpus = 0, vcpus_used = 0, memory_mib = 0, memory_used_mib = 0;
};

Totals totals_of(const std::vector<Json>& hosts) {
  Totals totals;
  for (const Json& host : hosts) {
    totals.hosts += 1;
    totals.enabled += host["state"].string() == "enabled" ? 1 : 0;
    totals.vcpus += host["capacity"]["vcpus"].number();
    totals.vcpus_used += host["used"]["vcpus"].number();
    totals.memory_mib += host["capacity"]["memory_mib"].number();
    totals.memory_used_mib += host["used"]["memory_mib"].number();
  }
  return totals;
}

std::map<std::string, int> states_of(const std::vector<Json>& vms) {
  std::map<std::string, int> count;
  for (const Json& vm : vms) ++count[vm["state"].string("unknown")];
  return count;
}

}  // namespace

void print_status(Session& session) {
  Client& client = session.client();
  const Answer ready = client.send({.target = "/readyz"});
  if (session.json) {
    fmt::print("{}\n", ready.body);
    session.exit_code = ready.is_ok() ? kDone : kUnreachable;
    return;
  }
  const Totals totals = totals_of(list_all(client, "/v1/hosts?limit=1000", "hosts"));
  const std::vector<Json> vms = list_all(client, "/v1/vms?limit=1000", "vms");
  std::string states;
  for (const auto& [state, count] : states_of(vms))
    states += fmt::format("{}{} {}", states.empty() ? "" : ", ", count, state);
  fmt::print("service  {} {}\n", client.url(), ready.is_ok() ? "ready" : "not ready");
  fmt::print("hosts    {:.0f}, {:.0f} enabled\n", totals.hosts, totals.enabled);
  fmt::print("vms      {}{}\n", vms.size(), states.empty() ? "" : " (" + states + ")");
  fmt::print("vcpus    {} of {} used ({})\n", amount(totals.vcpus_used), amount(totals.vcpus),
             share(totals.vcpus_used, totals.vcpus));
  fmt::print("memory   {} of {} used ({})\n", mebibytes(totals.memory_used_mib), mebibytes(totals.memory_mib),
             share(totals.memory_used_mib, totals.memory_mib));
  const Json document = ready.body.starts_with('{') ? ready.json() : Json();
  for (const Json& reason : document["reasons"].items()) fmt::print("not ready  {}\n", printable(reason.text()));
  for (const Json& warning : document["warnings"].items()) fmt::print("warning  {}\n", printable(warning.text()));
  if (!ready.is_ok()) session.exit_code = kUnreachable;
}

}  // namespace emplace::cli
