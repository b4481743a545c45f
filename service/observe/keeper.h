// Keeper: turns what the hypervisors report into rows of the store, from where they reach every replica's picture. It
// tells the store only what differs from the picture, and the store takes of that what still differs. A domain that
// nobody asked us for becomes a vm of source "found" (or "nova", which is never touched), so that what it uses counts;
// it is removed when its domain is gone. A vm of ours whose domain is gone becomes stopped. A vm that runs on two hosts
// counts on both, on the second as a vm of source "duplicate". Of two hosts that are one libvirtd the second is down.
//
// A host that comes back with its domains forgotten (test:/// keeps them in its connection) gets its vms made again
// from the store, and one log line says so.
//
// Threads: the methods may be called by many hosts' threads at once, for one host by one at a time.
#pragma once

#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/change/change.h"
#include "service/core/doors/claims.h"
#include "service/core/doors/hypervisors.h"
#include "service/core/doors/pictures.h"
#include "service/core/doors/sightings.h"
#include "service/core/doors/store.h"
#include "service/core/picture/picture.h"
#include "service/observe/findings.h"
#include "service/observe/roster.h"

namespace emplace::observe {

class Keeper {
 public:
  // The hypervisors report to the keeper and it acts through them: whoever makes both keeps the promise once they are
  // there.
  Keeper(const Pictures& pictures, Store& store, std::shared_future<Hypervisors*> hypervisors, Findings& findings,
         Log log)
      : pictures_(pictures),
        store_(store),
        hypervisors_(std::move(hypervisors)),
        findings_(findings),
        log_(std::move(log)) {}

  void connected(const std::string& host, bool fresh_state, const std::string& identity);
  void disconnected(const std::string& host, const std::string& reason);
  void looking(const std::string& host) { roster_.looking(host, pictures_.latest()); }
  void inventory(const HostRow& seen, const std::vector<std::string>& shared_filesystems);
  void domains(const std::string& host, std::span<const DomainSeen> all);
  void domain_seen(const std::string& host, const DomainSeen& seen);
  void domain_gone(const std::string& host, const Uuid& id);

 private:
  void remake(const std::string& host);
  void remake_one(const StartOrder& order, int tries);
  bool is_being_remade(const Uuid& vm) const;
  // Puts what must be stored of one domain into the report.
  void consider(const Picture& picture, const DomainSeen& seen, VmReport& report);
  void consider_gone(const Picture& picture, const Uuid& vm, VmReport& report);
  void consider_missing(const Picture& picture, std::span<const DomainSeen> all, VmReport& report);
  void find_duplicates(const std::string& host, std::span<const DomainSeen> all);
  void lose(const std::string& host);
  bool is_second_name(const std::string& host);
  void write(VmReport report);
  void complain(const std::string& host, const Error& error);

  const Pictures& pictures_;
  Store& store_;
  const std::shared_future<Hypervisors*> hypervisors_;
  Findings& findings_;
  const Log log_;
  Roster roster_;
  mutable std::mutex mutex_;
  std::set<Uuid> being_remade_;  // guarded by mutex_
};

}  // namespace emplace::observe
