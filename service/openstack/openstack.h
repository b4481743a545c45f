// Openstack: the door as a whole: one login at Keystone, the tables of Nova and Placement kept in step, and the tokens
// of Keystone's users verified.
//
// Life: make it when `take` can be called, destroy it before what `take` uses. Threads: any; two of its own.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "service/core/doors.h"
#include "service/openstack/keystone.h"
#include "service/openstack/sync.h"
#include "service/openstack/verifier.h"
#include "service/openstack/web.h"

namespace emplace::openstack {

struct OpenstackOptions {
  WebOptions web = {};
  KeystoneOptions keystone = {};
  SyncOptions sync = {};
  VerifierOptions verifier = {};
};

class Openstack {
 public:
  // kInvalid for a CA file without certificates. That Keystone does not answer is no error: it is tried again.
  static Result<std::unique_ptr<Openstack>> start(const OpenstackOptions& options, Sync::Doors doors);
  ~Openstack();

  TokenAuthority& tokens() { return verifier_; }
  std::vector<PartState> states() const { return sync_.states(); }

 private:
  Openstack(std::unique_ptr<Web> web, const OpenstackOptions& options, const Sync::Doors& doors);

  const std::unique_ptr<Web> web_;
  Keystone keystone_;
  NovaReader nova_;
  PlacementReader placement_;
  Verifier verifier_;
  Sync sync_;
};

}  // namespace emplace::openstack
