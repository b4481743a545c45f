// emplace: the command line of the service. docs/cli.md has its commands and exit codes.
#include <QCoreApplication>
#include <cstdio>
#include <exception>

#include "cli/arguments.h"
#include "cli/failure.h"
#include "service/process/streams.h"

int main(int argc, char** argv) {
  emplace::keep_standard_streams();
  emplace::keep_plain_locale();
  try {
    const QCoreApplication qt(argc, argv);  // the client's event loop needs one
    return emplace::cli::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "emplace: %s\n", error.what());
    return emplace::cli::kServiceDefect;
  }
}
