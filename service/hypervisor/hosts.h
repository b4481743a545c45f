// LibvirtHosts: the hypervisor door. One Host (thread, connection, queue) per configured entry, one thread per move. A
// host that is dead or hangs holds up nobody: acts are answered by their deadlines from threads of the door's own.
//
// Life: EventLoop first, then this; both before the first act. The destructor answers what is pending with
// kUnavailable, waits up to two seconds for threads that are not stuck inside libvirt, and afterwards calls nobody any
// more.
//
// `done` and `progress` run on threads of this door; one that waits holds up its own host only. A `done` must not call
// domains() of its own host: it would wait for the thread it is on.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/doors/claims.h"
#include "service/core/doors/hypervisors.h"
#include "service/core/doors/sightings.h"
#include "service/hypervisor/deadlines.h"
#include "service/hypervisor/event_loop.h"
#include "service/hypervisor/host.h"
#include "service/hypervisor/host_config.h"
#include "service/hypervisor/reports.h"

namespace emplace {

class LibvirtHosts : public Hypervisors {
 public:
  // Connects in the background; names must differ.
  LibvirtHosts(EventLoop& loop, std::vector<HostConfig> hosts, HypervisorOptions options, Reports reports);
  ~LibvirtHosts() override;

  bool drives(const std::string& host) const override;
  // The template and what it makes of the vm; the options. The host is not asked, and need not be named.
  Result<void> check(const StartOrder& order) const override;
  Result<void> check(const MoveOrder& order) const override;
  void start(StartOrder order, Done done) override;
  void destroy(const std::string& host, const Uuid& vm, std::optional<Uuid> claim, Done done) override;
  void shut_down(const std::string& host, const Uuid& vm, Done done) override;
  void move(MoveOrder order, std::function<void(const MoveProgress&)> progress, Done done) override;
  Result<std::vector<DomainSeen>> domains(const std::string& host, Deadline deadline) override;

  // For GET /v1/hosts and doctor; in the order of the names. Never waits for a host.
  std::vector<HostStatus> states() const;

 private:
  struct Moves;

  void submit(const std::string& host, std::string what, Deadline deadline, Act::Work work, Done done);
  void refuse(Error error, Done done);
  Deadline act_deadline() const;

  const std::shared_ptr<const HypervisorOptions> options_;
  const std::shared_ptr<Gate> gate_;
  const std::shared_ptr<Moves> moves_;
  Deadlines deadlines_;
  std::map<std::string, std::shared_ptr<Host>> hosts_;
};

}  // namespace emplace
