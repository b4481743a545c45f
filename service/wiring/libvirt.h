// LibvirtPart: the configured libvirt hosts, and the keeper that takes their reports to the store and acts through
// them.
#pragma once

#include <future>
#include <memory>

#include "service/configuration/config.h"
#include "service/hypervisor/hosts.h"
#include "service/observe/findings.h"
#include "service/observe/keeper.h"
#include "service/observe/observer.h"
#include "service/store/postgres_store.h"

namespace emplace {

class LibvirtPart {
 public:
  // kInvalid for a domain template that can't be read. The others outlive it.
  static Result<std::unique_ptr<LibvirtPart>> start(const Config& config, observe::Observer& observer,
                                                    PostgresStore& store, observe::Findings& findings);

  LibvirtHosts& hosts() { return hosts_; }

 private:
  LibvirtPart(const Config& config, HypervisorOptions options, observe::Observer& observer, PostgresStore& store,
              observe::Findings& findings);

  EventLoop events_;
  std::promise<Hypervisors*> promised_;  // hosts_, which reports to the keeper from its first moment
  observe::Keeper keeper_;
  LibvirtHosts hosts_;
};

}  // namespace emplace
