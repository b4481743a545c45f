#include "service/wiring/libvirt.h"

#include <utility>

#include "service/core/base/actor.h"
#include "service/wiring/log.h"
#include "service/wiring/options.h"

namespace emplace {
namespace {

Reports reports_to(observe::Keeper& keeper) {
  const auto acting = [](const std::string& host) { return Acting("hypervisor " + host); };
  Reports reports;
  reports.connected = [=, &keeper](const std::string& host, bool fresh, const std::string& identity) {
    const Acting by = acting(host);
    keeper.connected(host, fresh, identity);
  };
  reports.disconnected = [=, &keeper](const std::string& host, const std::string& reason) {
    const Acting by = acting(host);
    keeper.disconnected(host, reason);
  };
  reports.looking = [&](const std::string& host) { keeper.looking(host); };
  reports.inventory = [=, &keeper](const HostRow& host, const std::vector<std::string>& shared) {
    const Acting by = acting(host.name);
    keeper.inventory(host, shared);
  };
  reports.domains = [=, &keeper](const std::string& host, const std::vector<DomainSeen>& all) {
    const Acting by = acting(host);
    keeper.domains(host, all);
  };
  reports.domain = [=, &keeper](const std::string& host, const DomainEvent& event) {
    const Acting by = acting(host);
    event.seen ? keeper.domain_seen(host, *event.seen) : keeper.domain_gone(host, event.id);
  };
  return reports;
}

}  // namespace

LibvirtPart::LibvirtPart(const Config& config, HypervisorOptions options, observe::Observer& observer,
                         PostgresStore& store, observe::Findings& findings)
    : keeper_(observer, store, promised_.get_future().share(), findings, log_line),
      hosts_(events_, host_configs(config), std::move(options), reports_to(keeper_)) {
  promised_.set_value(&hosts_);
}

Result<std::unique_ptr<LibvirtPart>> LibvirtPart::start(const Config& config, observe::Observer& observer,
                                                        PostgresStore& store, observe::Findings& findings) {
  auto options = hypervisor_options(config);
  if (!options) return tl::unexpected(options.error());
  return std::unique_ptr<LibvirtPart>(new LibvirtPart(config, *std::move(options), observer, store, findings));
}

}  // namespace emplace
