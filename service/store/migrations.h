// Migrations: the SQL files of migrations/, applied in order of their names, forward only, each in one transaction and
// all under one advisory lock, so that any number of replicas may start at once. What was applied is kept with a
// checksum in schema_migrations; a file that changed afterwards is an error and nothing is applied.
//
// A schema may be newer than the program, so that a replica of the release before can start again during an upgrade,
// unless a migration says that older programs can't work with what it makes, on a line of its own:
//
//   -- oldest_program: 12     programs that know migration 12 can; those that know less are refused
#pragma once

#include <span>
#include <string>
#include <vector>

#include "service/core/base/deadline.h"
#include "service/core/base/result.h"
#include "service/store/address.h"

namespace emplace {

struct Migration {
  std::string name;  // "0001_hosts.sql": the number is the version
  std::string sql;
};

// The files that were compiled in.
std::vector<Migration> known_migrations();

// Makes the address's schema where it is missing. Returns how many were applied now. Waits for another replica's
// migration until the deadline.
Result<int> migrate(const Address& address, std::span<const Migration> migrations, Deadline deadline);

}  // namespace emplace
