// Names: who holds the names that the orders of a batch want for themselves (ClaimOrder::unique_name). A name is a
// vm's, or that of a held claim that has not expired, per project; a vm that is only expected holds none. The name's
// lock is kept until the transaction ends, so that of two replicas one sees the other's claim. An order that does not
// want its name for itself takes no lock: it comes before or after the other as a whole, as an import does.
//
//   lock() before any row is locked → read() → held_for(), take(), give_back(), settle() for each act
#pragma once

#include <cstdint>
#include <map>
#include <pqxx/pqxx>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/change/change.h"
#include "service/core/change/claim.h"
#include "service/core/doors/claims.h"
#include "service/core/request/request.h"

namespace emplace {

class Names {
 public:
  void want(std::span<const ClaimOrder> orders);
  void lock(pqxx::work& transaction) const;
  void read(pqxx::work& transaction, std::int64_t now_us);

  // The claims that hold the names of these orders for equal requests, one per order; empty: the names are free, or no
  // order asks for its own. kConflict "emplace.vm.name_taken" for everything between.
  Result<std::vector<Claim>> held_for(std::span<const ClaimOrder> orders) const;

  void take(const ClaimOrder& order, const Claim& claim);
  void give_back(const Uuid& claim);
  void settle(const Uuid& claim, VmState state);  // its vm is in that state, and the claim held no more

 private:
  using Name = std::pair<std::string, std::string>;  // project, name
  struct Holder {
    Claim claim;  // of a vm that is there: only its vm and host
    bool held = false;
    bool start = false;
    VmRequest request = {};
    VmState state = VmState::kClaimed;
  };
  static Name name_of(const VmRequest& vm) { return {vm.project, vm.name}; }
  static bool is_equal(const Holder& holder, const ClaimOrder& order);
  static std::string sentence(const Holder& holder);
  const Holder* find(const ClaimOrder& order) const;
  void read_vms(pqxx::work& transaction);
  void read_claims(pqxx::work& transaction, std::int64_t now_us);

  std::set<Name> wanted_;
  std::multimap<Name, Holder> holders_;
};

}  // namespace emplace
