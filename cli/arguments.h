// The arguments of the command line. CLI11 stays in arguments.cc: it is the dearest header of this folder.
#pragma once

namespace emplace::cli {

// Parses and runs; errors are printed as one line. Gives the exit code (failure.h).
int run(int argc, char** argv);

}  // namespace emplace::cli
