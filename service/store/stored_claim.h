// StoredClaim: a row of `claims` with what belongs to it: its host's name, and where the vm is now.
#pragma once

#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "service/core/change/change.h"
#include "service/core/change/claim.h"
#include "service/core/doors/lists.h"
#include "service/store/ledger.h"

namespace emplace {

struct StoredClaim {
  Claim claim;
  VmRow vm;  // of the vm it was taken for, as a claim row
  bool start = false, move = false;
  std::string definition;
  // The vm's present row, where there is one.
  std::string placed_on;
  Amounts placed = {};
  std::vector<std::uint32_t> placed_cells = {};
  std::string placed_source = {};
  double placed_vcpus_max = 0, placed_memory_max_mib = 0;
};

std::vector<StoredClaim> read_claims(pqxx::work& transaction, const std::vector<Uuid>& ids);
std::vector<StoredClaim> read_held_claims(pqxx::work& transaction, const ListQuestion& question);
std::vector<StoredClaim> read_claims_named(pqxx::work& transaction,
                                           const std::vector<std::string>& names);  // held ones
std::vector<StoredClaim> read_unfinished_starts(pqxx::work& transaction);
// Why the vm of a held claim is not there yet; whether that is news.
bool note_claim(pqxx::work& transaction, const Uuid& id, const std::string& failure);
std::vector<Uuid> read_expired(pqxx::work& transaction, std::size_t limit);

}  // namespace emplace
