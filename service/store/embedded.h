// EmbeddedPostgres: a private PostgreSQL in DIR, for an emplaced that was given no database. It listens on a unix
// socket only, runs as user postgres when we are root, dies with us, and is restarted with back-off when it dies alone.
//
//   DIR (0711)         DIR/lock     held while we run: one emplaced per DIR
//                      DIR/layout   version of this layout
//                      DIR/pg       (0700) PostgreSQL's own directory, with the socket
//                      DIR/pg.log   what PostgreSQL says
//
// A path too long for a socket (107 bytes) gets a short directory with a random name in /tmp for it instead.
//
// Threads: one, which starts PostgreSQL and waits for its end (the kernel ends a child when the *thread* that made it
// ends, so it must be this one). start() returns when PostgreSQL takes connections: well under a second; the destructor
// stops it.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "service/core/base/result.h"
#include "service/store/log.h"

namespace emplace {

class EmbeddedPostgres {
 public:
  // kInvalid: the directory is another emplaced's, another version's, or can't be used; one line that says so.
  static Result<std::unique_ptr<EmbeddedPostgres>> start(const std::filesystem::path& directory, Log log);
  ~EmbeddedPostgres();
  EmbeddedPostgres(const EmbeddedPostgres&) = delete;
  EmbeddedPostgres& operator=(const EmbeddedPostgres&) = delete;

  std::string connection_string() const;  // the same for all its life
  int pid() const { return pid_; }        // 0 between death and restart

 private:
  explicit EmbeddedPostgres(std::filesystem::path directory, Log log);
  Result<void> prepare();
  Result<void> lock_directory();
  Result<void> check_layout();
  Result<void> make_cluster();
  Result<void> place_socket();
  Result<void> stop_leftover();
  void supervise(std::promise<bool> first_start);
  bool watch(int pid, int pid_descriptor, const std::function<void()>& on_ready);
  bool told_to_stop(int timeout_ms) const;
  int spawn() const;
  bool wait_for_end(int descriptor, int timeout_ms) const;
  void stop_server(int pid, int pid_descriptor) const;

  const std::filesystem::path directory_;
  const std::filesystem::path cluster_;  // DIR/pg
  const Log log_;
  std::filesystem::path binaries_;  // of initdb and postgres
  std::filesystem::path socket_directory_;
  bool own_socket_directory_ = false;
  int lock_ = -1;
  int stop_ = -1;  // eventfd
  std::atomic<int> pid_{0};
  std::thread thread_;
};

}  // namespace emplace
