// The ABI is frozen: plugin.h may change only together with its version.
#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <fstream>
#include <sstream>
#include <string>

#include "api/plugin/emplace/plugin.h"

namespace emplace {
namespace {

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// What a compiler sees: without comments, and with one space for any run of white space.
std::string contract_of(const std::string& header) {
  std::string code;
  for (std::size_t at = 0; at < header.size();) {
    if (header.compare(at, 2, "/*") == 0) {
      at = header.find("*/", at) + 2;
      code += ' ';
      continue;
    }
    code += std::isspace(static_cast<unsigned char>(header[at])) ? ' ' : header[at];
    ++at;
  }
  code.erase(std::unique(code.begin(), code.end(), [](char a, char b) { return a == ' ' && b == ' '; }), code.end());
  return code;
}

// The line "major.minor hash" of the version that the header says it has.
std::string recorded_hash() {
  std::istringstream lines(read(EMPLACE_SOURCE "/tests/plugin/abi_hashes.txt"));
  const std::string version = std::to_string(EMPLACE_ABI_MAJOR) + "." + std::to_string(EMPLACE_ABI_MINOR);
  for (std::string found, hash; lines >> found >> hash;) {
    if (found == version) return hash;
  }
  return "none";
}

TEST(Abi, ChangesOnlyWithItsVersion) {
  const std::string header = read(EMPLACE_SOURCE "/api/plugin/emplace/plugin.h");
  ASSERT_FALSE(header.empty());
  const std::string contract = contract_of(header);
  std::ostringstream hash;
  hash << std::hex << XXH64(contract.data(), contract.size(), 0);
  EXPECT_EQ(recorded_hash(), hash.str())
      << "plugin.h is not what was recorded for its version: a change of the contract "
         "needs a new EMPLACE_ABI_MINOR or _MAJOR and a line in abi_hashes.txt";
}

// What a plugin was compiled with must lie where this header says, on every compiler.
TEST(Abi, KeepsItsLayout) {
  EXPECT_EQ(sizeof(emplace_error), 1028u);
  EXPECT_EQ(sizeof(emplace_chunk), 40u);
  EXPECT_EQ(sizeof(emplace_column), 48u);
  EXPECT_EQ(sizeof(emplace_table), 32u);
  EXPECT_EQ(sizeof(emplace_view), 48u);
  EXPECT_EQ(sizeof(emplace_call), 88u);
  EXPECT_EQ(sizeof(emplace_verdicts), 24u);
  EXPECT_EQ(sizeof(emplace_refusal), 624u);
  EXPECT_EQ(sizeof(emplace_costs), 24u);
  EXPECT_EQ(sizeof(emplace_weights), 48u);
  EXPECT_EQ(sizeof(emplace_observer), 32u);
  EXPECT_EQ(sizeof(emplace_taking), 24u);
  EXPECT_EQ(sizeof(emplace_consumer), 24u);
  EXPECT_EQ(sizeof(emplace_entry), 56u);
  EXPECT_EQ(offsetof(emplace_entry, abi_major), 4u);
  EXPECT_EQ(offsetof(emplace_entry, abi_minor), 8u);
  EXPECT_EQ(offsetof(emplace_call, candidates), 24u);
  EXPECT_EQ(offsetof(emplace_call, deadline_us), 80u);
}

// A host that knows more fields than a plugin hands out longer elements: stepping must follow their size.
TEST(Abi, StepsBySizeAndNotBySizeof) {
  struct Longer {
    emplace_chunk chunk;
    std::uint64_t more;
  };
  const Longer chunks[2] = {{{sizeof(Longer), 1, nullptr, nullptr, nullptr, nullptr}, 0},
                            {{sizeof(Longer), 2, nullptr, nullptr, nullptr, nullptr}, 0}};
  const emplace_column column{sizeof(emplace_column), EMPLACE_F64, "c", "", nullptr, 12, 2, &chunks[0].chunk};

  EXPECT_EQ(emplace_chunk_at(&column, 1)->rows, 2u);
}

}  // namespace
}  // namespace emplace
