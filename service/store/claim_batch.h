// ClaimBatch: acts on claims by many callers, decided and written in one transaction (group commit). Each act is of
// whom the thread works for that makes it (actor.h), and stands for itself: one that is refused changes nothing and
// does not touch the others. Claims that are given back in a batch make room for those that are taken in it.
//
//   lock groups, fault domains, hosts → read cells, members, claims → decide one by one in memory → a handful of
//   multi-row statements → append events (the caller commits)
#pragma once

#include <pqxx/pqxx>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "service/core/base/actor.h"
#include "service/core/base/leader.h"
#include "service/core/base/result.h"
#include "service/core/change/change.h"
#include "service/core/change/claim.h"
#include "service/core/doors/claims.h"

namespace emplace {

struct TakeAct {
  std::vector<ClaimOrder> orders;
  std::function<ClaimRecords(std::span<const Claim>)> records;
  Uuid runner = {};  // the process that will start or move the vms
  std::string actor = Acting::who();
  std::optional<Leader> leader = Leading::as();
};
struct ConfirmAct {
  Uuid claim;
  VmState state;
  std::string actor = Acting::who();
  std::optional<Leader> leader = Leading::as();
};
struct GiveBackAct {
  Uuid claim;
  std::string failure;
  std::string actor = Acting::who();
  std::optional<Leader> leader = Leading::as();
};
struct ExpireAct {  // gives back only what is held and expired
  Uuid claim;
  std::string actor = Acting::who();
  std::optional<Leader> leader = Leading::as();
};
using ClaimAct = std::variant<TakeAct, ConfirmAct, GiveBackAct, ExpireAct>;

struct BatchLimits {
  bool may_remember = true;  // false: there are too many remembered answers
};

struct BatchDone {
  std::vector<Result<ClaimsTaken>> outcomes;  // one per act; of acts that take nothing only event_seq counts
  std::string transaction_id;                 // empty: nothing was changed
  int backend = 0;                            // that wrote it; 0: nothing was changed
  std::int64_t claims = 0, answers = 0;       // newly taken, newly remembered
};

// Throws what pqxx throws. `answered` names acts (by place) whose idempotency key was found to be taken; the caller
// rolls back and runs the others.
BatchDone run_claim_batch(pqxx::work& transaction, std::span<const ClaimAct* const> acts, BatchLimits limits,
                          std::vector<std::size_t>& answered);

}  // namespace emplace
