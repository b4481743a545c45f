// DynamicSymbols: what a shared object gives to and wants from others, read from its file without loading it: the names
// in its table of dynamic symbols, and the libraries it needs.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "service/core/base/result.h"

namespace emplace::check {

struct DynamicSymbols {
  std::vector<std::string> exported;  // defined, and visible to others
  std::vector<std::string> wanted;    // undefined, not weak
  std::vector<std::string> needed;    // DT_NEEDED
};

// kInvalid for what is no whole 64-bit ELF file.
Result<DynamicSymbols> read_dynamic_symbols(const std::filesystem::path& library);

}  // namespace emplace::check
