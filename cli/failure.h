// Failure: why a command ends, as one line for a person and an exit code for a program. The command line uses an
// exception where the service uses Result<T>: here every failure has the same consequence, whatever the depth it
// happens at, and main() is the one place that catches it.
#pragma once

#include <stdexcept>
#include <string>

namespace emplace::cli {

// Documented in docs/cli.md; programs rely on the numbers.
enum ExitCode : int {
  kDone = 0,
  kRefused = 1,        // the service answered, and the answer is no: no host fits, a claim conflict
  kBadInput = 2,       // usage, an unreadable file, a request that the service calls invalid
  kUnreachable = 3,    // no service there, or it can't answer now
  kNotAllowed = 4,     // no token, an unknown one, or one without the role
  kNotFound = 5,       // no such host, vm, claim, decision; or its retention is over
  kFailed = 6,         // the act was tried and failed: a migration, a start, a replay that differs, a check of doctor
  kServiceDefect = 7,  // the service answered what it never should
  kInterrupted = 130,  // by Ctrl-C or SIGTERM, after putting back what was taken
  kReaderLeft = 141,   // who read standard output left before its end: what a shell makes of SIGPIPE
};

class Failure : public std::runtime_error {
 public:
  Failure(ExitCode code, const std::string& line) : std::runtime_error(line), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

}  // namespace emplace::cli
