// Where this program lies: what belongs to it, other programs and plugins, lies beside it.
#pragma once

#include <sys/auxv.h>

#include <filesystem>
#include <system_error>

namespace emplace {

// The directory of the running program. Without /proc it is that of the path by which it was started.
inline std::filesystem::path program_directory() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) return program.parent_path();
  const char* const started_as = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  const auto whole = std::filesystem::absolute(started_as ? started_as : "", error);
  return error ? std::filesystem::path("/") : whole.parent_path();
}

}  // namespace emplace
