// MariaDb: a private MariaDB server as a child process, for as long as this lives, on a Unix socket and a loopback
// port.
#pragma once

#include <mysql.h>
#include <sys/types.h>

#include <string>

namespace emplace::openstack {

class MariaDb {
 public:
  MariaDb();
  ~MariaDb();
  MariaDb(const MariaDb&) = delete;
  MariaDb& operator=(const MariaDb&) = delete;

  // As root. Several statements at once; one that fails is a failure of the test.
  void run(const std::string& statements);
  void stop();  // kill -9

  const std::string& socket() const { return socket_; }
  int port() const { return port_; }

 private:
  void start();
  std::string directory_, socket_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace emplace::openstack
