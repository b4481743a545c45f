// Openstack: the door as a whole: one login at Keystone, the tables of Nova and Placement kept in step, the tokens of
// Keystone's users verified, and vms moved by Nova.
//
// Life: make it when `take` can be called, destroy it before what `take` and the moves' callers use. Threads: any; two
// of its own, and one for each move.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/doors/cloud.h"
#include "service/core/doors/hypervisors.h"
#include "service/openstack/candidates.h"
#include "service/openstack/keystone.h"
#include "service/openstack/nova_database.h"
#include "service/openstack/nova_hosts.h"
#include "service/openstack/sync.h"
#include "service/openstack/verifier.h"
#include "service/openstack/web.h"

namespace emplace::openstack {

struct OpenstackOptions {
  WebOptions web = {};
  KeystoneOptions keystone = {};
  SyncOptions sync = {};
  VerifierOptions verifier = {};
  LiveMigrationOptions migration = {};
  NovaDatabaseOptions database = {};
  AskPlacement ask_placement = AskPlacement::kGranular;
};

class Openstack {
 public:
  // kInvalid for a CA file without certificates, and for what names no database. That Keystone does not answer is no
  // error: it is tried again. `lists`: whether a host is one of OpenStack's, in the picture that callers see.
  static Result<std::unique_ptr<Openstack>> start(const OpenstackOptions& options, Sync::Doors doors,
                                                  std::function<bool(const std::string& host)> lists);
  ~Openstack();

  TokenAuthority& tokens() { return verifier_; }
  Hypervisors& hosts() { return hosts_; }
  AllocationCandidates& candidates() { return candidates_; }
  std::vector<PartState> states() const { return sync_.states(); }

 private:
  Openstack(std::unique_ptr<Web> web, std::unique_ptr<NovaDatabase> database, const OpenstackOptions& options,
            const Sync::Doors& doors, std::function<bool(const std::string& host)> lists);

  const std::unique_ptr<Web> web_;
  Keystone keystone_;
  NovaReader nova_;
  PlacementReader placement_;
  Candidates candidates_;
  const std::unique_ptr<NovaDatabase> database_;  // null: none is read
  Verifier verifier_;
  Sync sync_;
  NovaHosts hosts_;
};

}  // namespace emplace::openstack
