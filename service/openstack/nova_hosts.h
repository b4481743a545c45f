// NovaHosts: the hosts of OpenStack as hypervisors. Nova owns their vms: it is asked to move one (live_migration.h) and
// what runs where, and never passed by: start, destroy and shut_down are refused.
//
// Life: one thread per move. stop() (or the destructor) answers the moves under way with kUnknownOutcome, since they go
// on without us, and waits for their threads; stop the Web before, or that may take as long as a call.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/core/doors/claims.h"
#include "service/core/doors/hypervisors.h"
#include "service/core/doors/sightings.h"
#include "service/openstack/live_migration.h"
#include "service/openstack/readers.h"

namespace emplace::openstack {

class NovaHosts : public Hypervisors {
 public:
  struct Doors {
    std::function<bool(const std::string& host)> lists;  // a host of OpenStack's?
    std::function<void()> moved;                         // called after each move, however it ended
  };

  NovaHosts(Keystone& keystone, NovaReader& nova, LiveMigrationOptions options, Doors doors);
  ~NovaHosts() override;
  void stop();

  bool drives(const std::string& host) const override { return doors_.lists(host); }
  Result<void> check(const MoveOrder& order) const override;
  void start(StartOrder order, Done done) override;
  void destroy(const std::string& host, const Uuid& vm, std::optional<Uuid> claim, Done done) override;
  void shut_down(const std::string& host, const Uuid& vm, Done done) override;
  void move(MoveOrder order, std::function<void(const MoveProgress&)> progress, Done done) override;
  Result<std::vector<DomainSeen>> domains(const std::string& host, Deadline deadline) override;

 private:
  struct Moves;

  Result<void> check_hosts(const MoveOrder& order) const;
  Result<void> carry_out(MoveOrder order, std::function<void(const MoveProgress&)> progress);
  void run(std::function<Result<void>()> work, Done done, std::function<void()> afterwards);

  Keystone& keystone_;
  NovaReader& nova_;
  const LiveMigrationOptions options_;
  const Doors doors_;
  const std::shared_ptr<Moves> moves_;
};

}  // namespace emplace::openstack
