// Keeper: turns what the hypervisors report into rows of the store, from where they reach every replica's picture. It writes
// only what changed. A domain that nobody asked us for becomes a vm of source "found" (or "nova", which is never touched), so
// that what it uses counts; it is removed when its domain is gone. A vm of ours whose domain is gone becomes stopped.
//
// A host that comes back with its domains forgotten (test:/// keeps them in its connection) gets its vms made again from the
// store, and one log line says so.
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

#include "service/core/change.h"
#include "service/core/doors.h"

namespace emplace::observe {

using Log = std::function<void(std::string_view level, std::string_view line)>;

class Keeper {
 public:
  // The hypervisors report to the keeper and it acts through them: whoever makes both keeps the promise once they are there.
  Keeper(const Pictures& pictures, Store& store, std::shared_future<Hypervisors*> hypervisors, Log log)
      : pictures_(pictures), store_(store), hypervisors_(std::move(hypervisors)), log_(std::move(log)) {}

  void connected(const std::string& host, bool fresh_state);
  void disconnected(const std::string& host, const std::string& reason);
  void inventory(const HostRow& seen);
  void domains(const std::string& host, std::span<const DomainSeen> all);
  void domain_seen(const std::string& host, const DomainSeen& seen);
  void domain_gone(const std::string& host, const Uuid& id);

 private:
  void remake(const std::string& host);
  void remake_one(const StartOrder& order, int tries);
  bool is_being_remade(const Uuid& vm) const;
  bool is_known(const DomainSeen& seen);
  // What must be written as a row; a mere change of state is written by them.
  std::optional<Change> change_for(const Picture& picture, const std::string& host, const DomainSeen& seen);
  std::optional<Change> change_for_gone(const Picture& picture, std::uint32_t vm);
  void set_state(const VmRow& vm, VmState state);
  void write(std::vector<Change> changes, const std::string& host);

  const Pictures& pictures_;
  Store& store_;
  const std::shared_future<Hypervisors*> hypervisors_;
  const Log log_;
  mutable std::mutex mutex_;
  std::set<Uuid> being_remade_;  // guarded by mutex_
};

}  // namespace emplace::observe
