#include <gtest/gtest.h>

#include <string_view>

#include "tests/store/fixture.h"
#include "tests/store/spike_worker.h"

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "--take-claims") return emplace::test::take_claims(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  emplace::test::stop_server();
  return result;
}
