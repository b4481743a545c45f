#include "cli/usage.h"

#include <gtest/gtest.h>

namespace emplace::cli {
namespace {

TEST(Closest, FindsWhatWasMeant) {
  const std::vector<std::string> words = {"hosts", "vms", "events", "explain", "export", "--memory", "--vcpus"};
  EXPECT_EQ(closest("hots", words), "hosts");     // a letter is missing
  EXPECT_EQ(closest("hostss", words), "hosts");   // one too many
  EXPECT_EQ(closest("evnets", words), "events");  // two are swapped
  EXPECT_EQ(closest("expalin", words), "explain");
  EXPECT_EQ(closest("--vcpu", words), "--vcpus");
  EXPECT_EQ(closest("--mem", words), "--memory");  // the beginning of one
}

TEST(Closest, FindsNothingWhereNothingIsClose) {
  const std::vector<std::string> words = {"hosts", "vms", "explain", "export"};
  EXPECT_EQ(closest("frobnicate", words), "");
  EXPECT_EQ(closest("", words), "");
  EXPECT_EQ(closest("ex", words), "");   // two begin so
  EXPECT_EQ(closest("abc", words), "");  // no letter of "vms" is right
}

}  // namespace
}  // namespace emplace::cli
