// The arguments of the command line. CLI11 stays in arguments.cc and run.cc: it is the dearest header of this folder.
#pragma once

namespace CLI {
class App;
}

namespace emplace::cli {

struct Session;

// Declares every command with its options; a command that is parsed runs.
void declare(CLI::App& app, Session& session);

// Parses and runs; errors are printed as one line. Gives the exit code (failure.h).
int run(int argc, char** argv);

}  // namespace emplace::cli
