#include "service/hypervisor/domains.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "service/core/base/failpoint.h"

namespace emplace {
namespace {

VmState state_of(int state, int reason) {
  switch (state) {
    case VIR_DOMAIN_SHUTOFF:
      return VmState::kStopped;
    case VIR_DOMAIN_CRASHED:
      return VmState::kFailed;
    case VIR_DOMAIN_PAUSED:
      // The destination of a move has a domain that starts up before it is the one that is moved.
      if (reason == VIR_DOMAIN_PAUSED_STARTING_UP) return VmState::kStarting;
      return reason == VIR_DOMAIN_PAUSED_MIGRATION ? VmState::kMigrating : VmState::kRunning;
    default:
      return VmState::kRunning;
  }
}

bool active(const DomainSeen& seen) {
  return seen.state == VmState::kStarting || seen.state == VmState::kRunning || seen.state == VmState::kMigrating;
}

std::string label(const DomainSeen& seen) { return fmt::format("domain {} ({})", seen.name, to_string(seen.id)); }

Error timed_out(const std::string& what) {
  return Error{ErrorCode::kTimeout, what + ": given up, its caller was told that time is up"};
}

// "0-3,8"
std::string cpu_list(std::vector<int> cpus) {
  std::sort(cpus.begin(), cpus.end());
  std::string list;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t end = i;
    while (end + 1 < cpus.size() && cpus[end + 1] == cpus[end] + 1) ++end;
    if (!list.empty()) list += ',';
    list += end == i ? fmt::format("{}", cpus[i]) : fmt::format("{}-{}", cpus[i], cpus[end]);
    i = end + 1;
  }
  return list;
}

std::string domain_type(const HostSession& session) {
  const auto& types = session.capabilities.domain_types;
  const auto offered = [&](const char* type) { return std::find(types.begin(), types.end(), type) != types.end(); };
  if (session.test) return "test";
  if (offered("kvm")) return "kvm";
  if (offered("qemu") || types.empty()) return "qemu";
  return types.front();
}

// Only where there are cells to be placed on: the test driver has no memory to bind.
Result<void> add_cells(const HostSession& session, std::span<const std::uint32_t> wanted,
                       DomainTemplate::Values& values) {
  const auto& cells = session.capabilities.cells;
  if (wanted.empty() || cells.empty() || session.test) return {};
  std::vector<int> cpus, nodes;
  for (const std::uint32_t cell : wanted) {
    if (cell >= cells.size()) {
      return fail(ErrorCode::kConflict,
                  fmt::format("the claim names NUMA cell {}; host {} has {}", cell, session.host, cells.size()));
    }
    cpus.insert(cpus.end(), cells[cell].cpus.begin(), cells[cell].cpus.end());
    nodes.push_back(static_cast<int>(cells[cell].id));
  }
  values["cell_cpus"] = cpu_list(std::move(cpus));
  values["cell_nodes"] = cpu_list(std::move(nodes));
  values["cell_mode"] = wanted.size() == 1 ? "strict" : "interleave";
  return {};
}

Result<DomainTemplate::Values> values_of(const HostSession& session, const StartOrder& order) {
  const VmRequest& vm = order.vm;
  DomainTemplate::Values values = {{"name", order.claim.vm_name},
                                   {"uuid", to_string(order.claim.vm)},
                                   {"claim", to_string(order.claim.id)},
                                   {"host", session.host},
                                   {"domain_type", domain_type(session)},
                                   {"arch", session.capabilities.arch},
                                   {"memory_mib", fmt::format("{:.0f}", vm.memory_mib)},
                                   {"vcpus", fmt::format("{:.0f}", vm.vcpus)},
                                   {"disk_gib", fmt::format("{:.0f}", vm.disk_gib)},
                                   {"project", vm.project},
                                   {"group", vm.group},
                                   {"image", vm.image},
                                   {"flavor", vm.flavor}};
  for (const auto& [name, value] : vm.parameters) values["parameter." + name] = value;
  if (auto added = add_cells(session, order.claim.cells, values); !added) return tl::unexpected<Error>(added.error());
  return values;
}

Result<void> check_xml(const DomainXml& xml, const StartOrder& order) {
  const auto wrong = [&](const char* where) {
    return fail(ErrorCode::kInvalid,
                fmt::format("the domain template does not give vm {} its own {}", order.claim.vm_name, where));
  };
  if (xml.nova) return fail(ErrorCode::kInvalid, "the domain template carries Nova's metadata");
  if (xml.name != order.claim.vm_name) return wrong("<name>");
  if (xml.id != order.claim.vm) return wrong("<uuid>");
  if (xml.claim != order.claim.id) return wrong("claim in <metadata>");
  return {};
}

Result<void> create(virDomainPtr domain, const std::string& what) {
  if (virDomainCreate(domain) == 0) return {};
  const Error error = libvirt_error(what);
  const auto now = read_domain(domain);
  if (now && active(*now)) return {};  // somebody was quicker with the same
  return tl::unexpected<Error>(error);
}

// The domain is there already: whose is it, and does it run?
Result<void> start_existing(const HostSession& session, const DomainSeen& seen, const StartOrder& order) {
  if (auto ours = refuse_nova(seen, session.host); !ours) return ours;
  if (seen.claim != order.claim.id) {
    return fail(ErrorCode::kConflict,
                fmt::format("{} exists on host {} with {}", label(seen), session.host,
                            seen.claim ? "another claim, " + to_string(*seen.claim) : std::string("no claim of ours")),
                "emplace.hypervisor.domain_exists");
  }
  if (active(seen)) return {};
  const Domain domain = domain_of(session.get(), seen.id);
  const std::string what = fmt::format("start of {} on host {}", label(seen), session.host);
  if (domain == nullptr) return libvirt_fail(what);
  return create(domain.get(), what);
}

Result<void> refuse_taken_name(const HostSession& session, const StartOrder& order) {
  const Domain other(virDomainLookupByName(session.get(), order.claim.vm_name.c_str()));
  if (other == nullptr && libvirt_code() == VIR_ERR_NO_DOMAIN) return {};
  if (other == nullptr) return libvirt_fail("start on host " + session.host);
  return fail(ErrorCode::kConflict,
              fmt::format("a domain named {} exists on host {} with another uuid, {}", order.claim.vm_name,
                          session.host, to_string(uuid_of(other.get()))),
              "emplace.hypervisor.domain_exists");
}

}  // namespace

namespace {

Result<DomainXml> read_xml(virDomainPtr domain, unsigned flags, const std::string& what) {
  const LibvirtText text(virDomainGetXMLDesc(domain, flags));
  if (text == nullptr) return libvirt_fail(what);
  return read_domain_xml(text.get());
}

Result<DomainSeen> read_domain(virDomainPtr domain, std::vector<DiskXml>& disks) {
  DomainSeen seen;
  seen.id = uuid_of(domain);
  const std::string what = "domain " + to_string(seen.id);
  virDomainInfo info{};
  int state = VIR_DOMAIN_NOSTATE, reason = 0;
  if (virDomainGetInfo(domain, &info) != 0 || virDomainGetState(domain, &state, &reason, 0) != 0)
    return libvirt_fail(what);
  const auto xml = read_xml(domain, 0, what);
  if (!xml) return tl::unexpected<Error>(xml.error());
  seen.name = xml->name;
  seen.state = state_of(state, reason);
  seen.vcpus = info.nrVirtCpu;
  seen.memory_mib = std::ceil(static_cast<double>(info.memory) / 1024);
  seen.vcpus_max = xml->vcpus_max;
  seen.memory_max_mib = xml->memory_max_mib;
  seen.claim = xml->claim;
  seen.nova = xml->nova;
  disks = xml->disks;
  if (state == VIR_DOMAIN_SHUTOFF) return seen;
  // What it will be when it starts again may have been defined anew.
  if (const auto next = read_xml(domain, VIR_DOMAIN_XML_INACTIVE, what)) {
    seen.vcpus_max = std::max(seen.vcpus_max, next->vcpus_max);
    seen.memory_max_mib = std::max(seen.memory_max_mib, next->memory_max_mib);
  }
  return seen;
}

}  // namespace

Result<DomainSeen> read_domain(virDomainPtr domain) {
  std::vector<DiskXml> disks;
  return read_domain(domain, disks);
}

Result<std::vector<DomainSeen>> list_domains(const HostSession& session, std::vector<DiskSeen>& disks) {
  virDomainPtr* array = nullptr;
  const int count = virConnectListAllDomains(session.get(), &array, 0);
  if (count < 0) return libvirt_fail("domains of host " + session.host);
  std::vector<DomainSeen> all;
  for (const Domain& domain : take_handles<Domain>(array, count)) {
    std::vector<DiskXml> of_xml;
    auto seen = read_domain(domain.get(), of_xml);
    if (seen) {
      seen->disk_gib = read_disks(domain.get(), of_xml, disks);
      all.push_back(std::move(*seen));
    } else if (seen.error().code != ErrorCode::kNotFound) {
      return tl::unexpected<Error>(seen.error());
    }
  }
  return all;
}

Result<std::optional<DomainSeen>> find_domain(virConnectPtr connection, const Uuid& vm) {
  const Domain domain = domain_of(connection, vm);
  if (domain == nullptr && libvirt_code() == VIR_ERR_NO_DOMAIN) return std::optional<DomainSeen>();
  if (domain == nullptr) return libvirt_fail("domain " + to_string(vm));
  auto seen = read_domain(domain.get());
  if (!seen && seen.error().code == ErrorCode::kNotFound) return std::optional<DomainSeen>();
  if (!seen) return tl::unexpected<Error>(seen.error());
  return std::optional<DomainSeen>(std::move(*seen));
}

Result<void> refuse_nova(const DomainSeen& seen, const std::string& host) {
  if (!seen.nova) return {};
  return fail(ErrorCode::kConflict,
              fmt::format("{} on host {} belongs to Nova and is never touched", label(seen), host),
              "emplace.hypervisor.nova");
}

Result<std::string> domain_xml(const HostSession& session, const StartOrder& order,
                               const DomainTemplate& domain_template) {
  const auto values = values_of(session, order);
  if (!values) return tl::unexpected<Error>(values.error());
  auto xml = domain_template.expand(*values);
  if (!xml) return xml;
  const auto read = read_domain_xml(*xml);
  if (!read) return fail(ErrorCode::kInvalid, "the domain template gives broken XML, " + read.error().message);
  if (auto checked = check_xml(*read, order); !checked) return tl::unexpected<Error>(checked.error());
  return xml;
}

Result<void> start_domain(const HostSession& session, const StartOrder& order, const DomainTemplate& domain_template,
                          const std::function<bool()>& abandoned) {
  const std::string what = fmt::format("start of vm {} on host {}", order.claim.vm_name, session.host);
  const auto existing = find_domain(session.get(), order.claim.vm);
  if (!existing) return tl::unexpected<Error>(existing.error());
  if (abandoned()) return tl::unexpected<Error>(timed_out(what));
  if (*existing) return start_existing(session, **existing, order);
  if (auto free = refuse_taken_name(session, order); !free) return free;
  const auto xml = domain_xml(session, order, domain_template);
  if (!xml) return tl::unexpected<Error>(xml.error());
  if (abandoned()) return tl::unexpected<Error>(timed_out(what));
  const Domain domain(virDomainDefineXML(session.get(), xml->c_str()));
  if (domain == nullptr) return libvirt_fail(what);
  if (abandoned() || fail_at("start.defined")) return tl::unexpected<Error>(timed_out(what));
  auto created = create(domain.get(), what);
  if (fail_at("start.created")) return tl::unexpected<Error>(timed_out(what));
  if (!created && !abandoned()) {
    if (const auto undefined = undefine_domain(domain.get(), what); !undefined) {
      created.error().message += "; its definition stays behind: " + undefined.error().message;
    }
  }
  return created;
}

Result<void> destroy_domain(const HostSession& session, const Uuid& vm, const std::optional<Uuid>& claim,
                            const std::function<bool()>& abandoned) {
  const std::string what = fmt::format("destroy of vm {} on host {}", to_string(vm), session.host);
  const auto seen = find_domain(session.get(), vm);
  if (!seen) return tl::unexpected<Error>(seen.error());
  if (!*seen || (claim && (*seen)->claim != claim)) return {};
  if (auto ours = refuse_nova(**seen, session.host); !ours) return ours;
  if (abandoned()) return tl::unexpected<Error>(timed_out(what));
  const Domain domain = domain_of(session.get(), vm);
  if (domain == nullptr) return libvirt_code() == VIR_ERR_NO_DOMAIN ? Result<void>() : libvirt_fail(what);
  // A domain that is off already, or transient and gone with its power, is what was asked for.
  if (virDomainDestroy(domain.get()) != 0 && libvirt_code() != VIR_ERR_OPERATION_INVALID &&
      libvirt_code() != VIR_ERR_NO_DOMAIN) {
    return libvirt_fail(what);
  }
  if (abandoned()) return tl::unexpected<Error>(timed_out(what));
  return undefine_domain(domain.get(), what);
}

Result<void> shut_down_domain(const HostSession& session, const Uuid& vm) {
  const std::string what = fmt::format("shut-down of vm {} on host {}", to_string(vm), session.host);
  const auto seen = find_domain(session.get(), vm);
  if (!seen) return tl::unexpected<Error>(seen.error());
  if (!*seen) return fail(ErrorCode::kNotFound, what + ": there is no such domain");
  if (auto ours = refuse_nova(**seen, session.host); !ours) return ours;
  if (!active(**seen)) return {};
  const Domain domain = domain_of(session.get(), vm);
  if (domain == nullptr || virDomainShutdown(domain.get()) != 0) return libvirt_fail(what);
  return {};
}

Result<void> undefine_domain(virDomainPtr domain, const std::string& what) {
  constexpr unsigned kAll = VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                            VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | VIR_DOMAIN_UNDEFINE_NVRAM;
  if (virDomainUndefineFlags(domain, kAll) == 0 || libvirt_code() == VIR_ERR_NO_DOMAIN) return {};
  // Drivers refuse flags they don't know; without them only the definition goes, which is all such a driver has.
  if (virDomainUndefine(domain) == 0 || libvirt_code() == VIR_ERR_NO_DOMAIN) return {};
  return libvirt_fail(what);
}

}  // namespace emplace
