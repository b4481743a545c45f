// Migrations: the SQL files of migrations/, applied in order of their names, forward only, each in one transaction and all
// under one advisory lock, so that any number of replicas may start at once. What was applied is kept with a checksum in
// schema_migrations; a file that changed afterwards, or a schema newer than this program knows, is an error and nothing is
// applied.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "service/core/doors.h"
#include "service/core/result.h"

namespace emplace {

struct Migration {
  std::string name;  // "0001_hosts.sql": the number is the version
  std::string sql;
};

// The files that were compiled in.
std::vector<Migration> known_migrations();

// Returns how many were applied now. Waits for another replica's migration until the deadline.
Result<int> migrate(const std::string& connection, std::span<const Migration> migrations, Deadline deadline);

}  // namespace emplace
