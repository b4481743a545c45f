// A child process that runs as an unprivileged user when we are root, has no signal blocked, leads a session of its own
// (so that Ctrl-C reaches only us), writes to a file, and gets a signal from the kernel when the thread that made it
// ends.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace emplace {

struct User {
  unsigned uid;
  unsigned gid;
};

struct Command {
  std::vector<std::string> arguments;  // the first is the program's path
  std::filesystem::path output;        // stdout and stderr, appended
  std::optional<User> user;
  int signal_at_our_end = 0;
};

// The child's pid, or -1 with errno.
int spawn(const Command& command);
// Runs it to its end; the exit status, 128 + signal, or -1.
int run_to_end(const Command& command);

}  // namespace emplace
