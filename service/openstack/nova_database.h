// NovaDatabase: reads what Nova keeps of its compute nodes in its own databases and its API does not tell: NUMA
// topology, PCI pools, supported instances, metrics and stats (compute_nodes of each cell's database), and the cell of
// a host (host_mappings and cell_mappings of the API database). It only reads, and names its columns, so that a user
// who may SELECT these suffices (docs/openstack.md).
//
// A database is named as in nova.conf's `connection`: "mysql+pymysql://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE",
// with the options unix_socket, ssl_ca, ssl_cert and ssl_key; charset, plugin, binary_prefix and time-outs are for
// Nova's own library and read over. A connection is made for each reading, in MariaDB's and MySQL's own protocol.
//
// Threads: read() from one at a time; stop() from any: it ends a reading, a login after at most five seconds, and all
// later ones at once.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "service/core/base/result.h"
#include "service/openstack/cloud.h"

namespace emplace::openstack {

struct NovaDatabaseOptions {
  std::vector<std::string> urls = {};  // empty: no database is read
  std::chrono::seconds timeout{30};    // with one answer of a database, a login too
};

class NovaDatabase {
 public:
  // Null where there are no URLs. kInvalid, which shows no password, for a URL that is none of such a database.
  static Result<std::unique_ptr<NovaDatabase>> create(const NovaDatabaseOptions& options);
  ~NovaDatabase();

  // All rows, or those that changed since the last reading that went well, with a minute of overlap: the clocks of
  // Nova's services differ. kUnavailable, naming the database, when one of them does not answer or shows no such table.
  Result<ComputeNodes> read(bool all);
  void stop();

 private:
  struct Inside;
  explicit NovaDatabase(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace emplace::openstack
