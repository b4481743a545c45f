// Operations (core/doors/operations.h) as rows: begun and ended in the transaction of the claim or the removal that
// they belong to. Times are the database's.
#pragma once

#include <pqxx/pqxx>
#include <string>
#include <utility>
#include <vector>

#include "service/core/change/change.h"
#include "service/core/doors/operations.h"

namespace emplace {

void insert_operations(pqxx::work& transaction, const std::vector<Operation>& operations, const Uuid& runner);

// Ends those that run; with each its error.
using OperationEnds = std::vector<std::pair<Uuid, std::string>>;
void end_operations(pqxx::work& transaction, const OperationEnds& ends, const std::string& state);
void note_errors(pqxx::work& transaction, const OperationEnds& errors);
void note_progress(pqxx::work& transaction, const Uuid& id, double progress);
// Starts and moves of these vms, which are deleted.
void end_operations_of(pqxx::work& transaction, const std::string& vms);

// Writes why the last operation of each vm failed; the rows as they are then.
std::vector<VmRow> put_failures(pqxx::work& transaction, const OperationEnds& failures);

std::vector<Operation> read_operations(pqxx::work& transaction, const OperationFilter& filter);
std::vector<Operation> read_operation(pqxx::work& transaction, const Uuid& id);  // one or none

// This process is there; those of its replica that were before it are not.
void hear_of(pqxx::work& transaction, const Uuid& runner, const std::string& replica);
std::vector<Operation> read_forsaken(pqxx::work& transaction);
void delete_old_operations(pqxx::work& transaction);

}  // namespace emplace
