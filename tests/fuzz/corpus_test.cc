// Runs each target over its corpus with the compiler of the service, so that an input that once broke something breaks
// ./check when it does so again.
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/targets.h"

namespace emplace::fuzz {

struct Target {
  std::string_view name;
  void (*run)(std::string_view input);
};

void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

namespace {

namespace fs = std::filesystem;

constexpr std::array<Target, 10> kTargets = {{
    {"framing", framing},
    {"placement", placement},
    {"inventory", inventory},
    {"change", change},
    {"api", api},
    {"manifest", manifest},
    {"plugin_configuration", plugin_configuration},
    {"service_configuration", service_configuration},
    {"openstack_answers", openstack_answers},
    {"nova_conf", nova_conf},
}};

class Corpus : public testing::TestWithParam<Target> {};

TEST_P(Corpus, BreaksNothing) {
  std::size_t inputs = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(EMPLACE_FUZZ_CORPUS) / GetParam().name)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(file), {}};
    SCOPED_TRACE(entry.path().filename().string());
    EXPECT_NO_THROW(GetParam().run(input));
    ++inputs;
  }
  GetParam().run("");
  EXPECT_GT(inputs, 0U);
}

INSTANTIATE_TEST_SUITE_P(Targets, Corpus, testing::ValuesIn(kTargets),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace emplace::fuzz
