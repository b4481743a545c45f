// Ledger: what a transaction knows of the hosts, groups and spread groups that it locked, as the claims it decided so
// far leave them. refuse() and promise() are the claim rules, pure and without I/O: a claim is refused for lack of room
// or a broken rule, never because a number moved.
//
//   room      free = (total - reserved) * ratio - used, for each resource that is asked for; per cell with numa_nodes
//   affinity, anti-affinity   members are vms and held claims; the soft policies never refuse
//   spread    members of one spread group in different domains share no rack (or zone); a host without one is its own
//   takes     what vms and held claims take of one thing of a host is within its limit (service/core/change/takes.h)
//   state     only an enabled host takes claims
//
// A vm that is moved does not count against itself. Cost of a check: O(cells log cells + members of the group).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "service/core/change/change.h"
#include "service/core/change/takes.h"
#include "service/core/decide/rules.h"
#include "service/core/doors/claims.h"

namespace emplace {

using Amounts = Counted;

struct CellLedger {
  double vcpus = 0, memory_mib = 0;  // capacity
  double vcpus_used = 0, memory_used_mib = 0;
};

struct HostLedger {
  std::int64_t id = 0;
  std::string name, source, zone, rack;
  HostState state = HostState::kEnabled;
  Amounts capacity, used;
  std::vector<CellLedger> cells = {};
  std::map<std::string, double, std::less<>> taken = {};  // by name (takes.h), of vms and held claims
  std::int64_t claims_generation = 0;
  bool changed = false;
};

struct Member {
  Uuid vm;
  std::int64_t host = 0;
};

struct GroupLedger {
  std::int64_t id = 0;
  GroupPolicy policy = GroupPolicy::kAntiAffinity;
  double max_per_host = 1;
  std::vector<Member> members = {};
  bool changed = false;
};

struct SpreadMember {
  Uuid vm;
  std::string domain;
  std::string place;  // place_of() its host
};
using SpreadKey = std::pair<SpreadBy, std::string>;

struct Ledger {
  std::map<std::string, HostLedger> hosts = {};
  std::map<std::string, GroupLedger> groups = {};
  std::map<SpreadKey, std::vector<SpreadMember>> spreads = {};
};

// The rack or zone of a host as spread rules see it.
std::string place_of(const HostLedger& host, SpreadBy by);

// What a vm takes of its host; what it uses there in cells.
void use(HostLedger& host, const Amounts& amounts, const std::vector<std::uint32_t>& cells, double sign);

// Likewise of what it takes beyond that.
void use_takes(HostLedger& host, const std::string& takes, double sign);

// Why the order can't be taken; `cells` is filled when it can. The order's host and group must be in the ledger.
std::optional<Refusal> refuse(const Ledger& ledger, const ClaimOrder& order, std::vector<std::uint32_t>& cells);

// Enters an order that was not refused, and takes it out again.
void promise(Ledger& ledger, const ClaimOrder& order, const std::vector<std::uint32_t>& cells);
void take_back(Ledger& ledger, const ClaimOrder& order, const std::vector<std::uint32_t>& cells);

}  // namespace emplace
