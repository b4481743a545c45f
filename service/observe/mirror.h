// Mirror: turns what a cloud says of itself (CloudReport) into rows of the store, from where they reach every replica's
// picture. It writes only what differs from the picture, removes what the cloud lists no more, and confirms claims (and
// releases reservations) of vms that the cloud shows on the claim's host. What the cloud has no word for stays: rack,
// cells, observed values, and an operator's own disabling or maintenance of a host.
//
// The brake: a report that lacks more than a share of the hosts, of their amounts or of the vms that the picture has
// from the cloud changes nothing; it is more likely that the cloud's services are broken than that so much is gone at
// once. Vms that the cloud says are deleted do not count, nor do up to two rows.
//
// What is the cloud's: hosts and vms by their source; aggregates and groups that it once named, or that its hosts and
// vms had when this replica began. A host that libvirt reports too stays libvirt's: it is left out and named in the
// log.
//
// Threads: one.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/change/change.h"
#include "service/core/doors/cloud.h"
#include "service/core/doors/pictures.h"
#include "service/core/doors/store.h"
#include "service/core/picture/picture.h"

namespace emplace::observe {

// What must be written, in the order of the members: one transaction for each list, or for slices of one.
struct Difference {
  std::vector<Change> named;                   // aggregates, groups, hosts
  std::vector<Change> vms;                     // with those that went
  std::vector<Change> gone;                    // hosts, groups, aggregates
  std::size_t hosts_gone = 0, vms_gone = 0;    // of which nothing but their absence is known
  std::size_t hosts_known = 0, vms_known = 0;  // in the picture, from the cloud
  std::size_t hosts_emptied = 0;               // had amounts, and are listed without
  std::set<std::string> hosts_refused = {};    // that are libvirt's already
};

// Names that are the cloud's, of rows that have no source.
struct CloudNames {
  std::set<std::string> aggregates = {}, groups = {};
};
// Those of its hosts and vms in a picture.
CloudNames names_in(const Picture& picture);

Difference difference(const Picture& picture, const CloudReport& report, const CloudNames& ours);
// kConflict "emplace.brake" when it lacks more than `percent` of the hosts, their amounts or the vms.
Result<void> check_brake(const Difference& difference, double percent);
// Vms of the report whose reservations have served: seen on the reserved host, or elsewhere and never before. One that
// was seen elsewhere before may be on its way.
std::vector<Uuid> ended_reservations(const Picture& picture, const std::vector<VmRow>& seen);

class Mirror {
 public:
  using Log = std::function<void(std::string_view level, std::string_view line)>;

  Mirror(const Pictures& pictures, Store& store, double brake_percent, Log log)
      : pictures_(pictures), store_(store), brake_percent_(brake_percent), log_(std::move(log)) {}

  Result<void> take(const CloudReport& report);

 private:
  Result<void> write(std::vector<Change> changes);
  void complain(const std::set<std::string>& hosts_refused);
  void confirm_claims(const Picture& picture, const std::vector<VmRow>& vms);

  const Pictures& pictures_;
  Store& store_;
  const double brake_percent_;
  const Log log_;
  std::optional<CloudNames> ours_;  // nothing before the first report
  std::set<std::string> hosts_refused_;
};

}  // namespace emplace::observe
