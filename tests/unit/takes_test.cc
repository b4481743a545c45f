// What vms take of their hosts, as plugins wrote it.
#include "service/core/change/takes.h"

#include <gtest/gtest.h>

namespace emplace {
namespace {

std::string refusal(std::string_view json) {
  const auto read = read_takes(json);
  if (read) return {};
  EXPECT_EQ(read.error().code, ErrorCode::kInvalid) << json;
  return read.error().message;
}

TEST(ReadTakes, KeepsNamesAmountsAndLimitsInTheirOrder) {
  const auto takes = read_takes(R"([["numa/0/cpu/3",1,1],["pci/0",0,2.5]])").value();

  ASSERT_EQ(takes.size(), 2u);
  EXPECT_EQ(takes[0].name, "numa/0/cpu/3");
  EXPECT_EQ(takes[0].amount, 1);
  EXPECT_EQ(takes[0].limit, 1);
  EXPECT_EQ(takes[1].amount, 0) << "a thing may be named of which nothing is taken";
  EXPECT_EQ(takes[1].limit, 2.5);
}

TEST(ReadTakes, AreNoneInAnEmptyTextOrList) {
  EXPECT_TRUE(read_takes("").value().empty());
  EXPECT_TRUE(read_takes("[]").value().empty());
}

TEST(ReadTakes, RefusesWhatIsNoList) {
  EXPECT_NE(refusal(R"({"cpu":1})").find("takes: wanted a list"), std::string::npos);
  for (const char* json : {"null", "7", R"("cpu")", "[", R"([["cpu",1,1]] x)"}) EXPECT_NE(refusal(json), "") << json;
}

TEST(ReadTakes, NamesTheTakeThatIsNone) {
  for (const char* take :
       {"null", "7", "{}", "[]", R"(["cpu"])", R"(["cpu",1])", R"(["cpu",1,1,1])", R"([1,1,1])", R"(["",1,1])",
        R"(["cpu","1",1])", R"(["cpu",1,null])", R"(["cpu",true,1])", R"(["cpu",-1,1])", R"(["cpu",1,-0.5])"}) {
    const std::string found = refusal(R"([["fine",1,1],)" + std::string(take) + "]");
    EXPECT_EQ(found.find("takes[1]: wanted a name and two numbers from 0"), 0u) << take << ": " << found;
  }
}

TEST(ReadTakes, RefusesNumbersThatAreNone) {
  for (const char* number : {"NaN", "1e999", "0x1"})
    EXPECT_NE(refusal(R"([["cpu",)" + std::string(number) + ",1]]"), "") << number;
}

}  // namespace
}  // namespace emplace
