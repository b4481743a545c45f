// What emplaced was started with.
#pragma once

#include <variant>

#include "service/configuration/config.h"

namespace emplace {

struct Arguments {
  Config config;  // of the file, with what the command line says in its place
  bool check_only = false, migrate_only = false;
};

// The exit code where there is nothing more to do: after --help, or a complaint.
std::variant<Arguments, int> read_arguments(int argc, char** argv);

}  // namespace emplace
