// What every test of the store needs: one PostgreSQL for the whole program in a directory of its own (server.h), a
// fresh database per test, and a way to ask it in SQL behind the store's back.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "service/store/embedded.h"
#include "service/store/postgres_store.h"
#include "tests/store/server.h"

namespace emplace::test {

using Rows = std::vector<std::vector<std::string>>;

// Removed with everything in it at the end of its scope.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

Log quiet_log();
Uuid random_uuid();
std::int64_t wall_clock_us();
Deadline in(std::chrono::milliseconds time);

// The same database, for what tests do there themselves: whatever the operator of a server has set for ours.
std::string onlooker_of(const std::string& connection);
Rows query(const std::string& connection, const std::string& sql);
std::string value(const std::string& connection, const std::string& sql);  // of the first row's first column

// A migrated database of its own on a server; dropped never: the server's directory goes as a whole.
std::string fresh_database(const std::string& server);
StoreOptions options_for(const std::string& connection, const std::string& replica = "a");

// The server that all tests share; started by the first who asks, stopped by stop_server().
const Server& server();
void stop_server();

HostRow host(const std::string& name, double vcpus, double memory_mib, double disk_gib = 1000);
HostRow host_with_cells(const std::string& name, int cells, double vcpus, double memory_mib);  // of each cell
VmRequest vm(const std::string& name, double vcpus, double memory_mib);
ClaimOrder order(const VmRequest& vm, const std::string& host);

// Sentences about what is wrong in the tables: hosts or cells that were oversold or whose use is not the sum of what is
// on them, group or spread rules that are broken, vms with two claims. Reads only the tables.
std::vector<std::string> broken_rules(const std::string& connection);

}  // namespace emplace::test
