// Inventory: hosts, vms, groups and what is known between them, written as Changes: checked, stored, use of hosts and
// cells kept, and turned into events, all in the caller's transaction. Upserts come before removals, whatever their
// order in the call; of several changes of one row the last counts. An aggregate that a host names is made by being
// named.
//
// A row that is there already as it is to be is left as it is: it keeps its generation, and there is no event of it.
#pragma once

#include <functional>
#include <optional>
#include <pqxx/pqxx>
#include <vector>

#include "service/core/base/result.h"
#include "service/core/change/change.h"

namespace emplace {

struct InventoryWritten {
  std::vector<Change> events;   // to append
  std::int64_t generation = 0;  // of the last host or group of the call
};

Result<InventoryWritten> write_inventory(pqxx::work& transaction, const std::vector<Change>& changes,
                                         std::optional<std::int64_t> if_match, const std::function<Uuid()>& new_uuid);

Result<InventoryWritten> write_host_state(pqxx::work& transaction, const std::string& host, HostState state,
                                          std::optional<std::int64_t> if_match);
Result<InventoryWritten> write_pushed_state(pqxx::work& transaction, const std::string& host,
                                            const std::string& attributes, std::optional<std::int64_t> if_match);
Result<InventoryWritten> write_vm_state(pqxx::work& transaction, const Uuid& vm, VmState state);

}  // namespace emplace
