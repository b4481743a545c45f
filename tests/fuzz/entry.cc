// The entry of one fuzzer's program; EMPLACE_FUZZ_TARGET is the target's function.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/targets.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  emplace::fuzz::EMPLACE_FUZZ_TARGET({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
