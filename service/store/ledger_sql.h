// Reads a Ledger under locks, in the one order that every transaction keeps: groups, fault domains, hosts, each by id.
// What is read after the locks stays true until the commit.
#pragma once

#include <pqxx/pqxx>
#include <set>
#include <string>

#include "service/store/ledger.h"

namespace emplace {

struct LedgerWanted {
  std::set<std::string> hosts = {};
  std::set<std::string> groups = {};
  std::set<SpreadKey> spreads = {};
  std::set<std::pair<SpreadBy, std::string>> spread_hosts = {};  // hosts that a vm with a spread rule may get
  bool cells = false;
  bool takes = false;
};

// Throws pqxx::serialization_failure when a host changed its rack or zone meanwhile.
Ledger lock_ledger(pqxx::work& transaction, const LedgerWanted& wanted);

// Writes what changed: use of hosts and cells, generations.
void store_ledger(pqxx::work& transaction, const Ledger& ledger);

// Makes the rows that a claim locks for racks and zones.
void ensure_fault_domains(pqxx::work& transaction, const std::set<std::string>& zones,
                          const std::set<std::string>& racks);

}  // namespace emplace
