#include "cli/numbers.h"

#include <gtest/gtest.h>

#include <clocale>

#include "cli/failure.h"

namespace emplace::cli {
namespace {

std::string refusal(const auto& read) {
  try {
    read();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), kBadInput);
    return failure.what();
  }
  return "";
}

TEST(TypedSizes, AreReadWithEveryUnit) {
  const std::pair<const char*, double> memory[] = {
      {"64", 64},      {"512MiB", 512},   {"4GiB", 4096},       {"4gib", 4096},  {"4G", 4096},
      {"0.5GiB", 512}, {"2TiB", 2097152}, {"1048576KiB", 1024}, {"1 GiB", 1024}, {"8MiB", 8}};
  for (const auto& [text, mib] : memory) EXPECT_EQ(mebibytes_typed("--memory", text), mib) << text;
  const std::pair<const char*, double> disk[] = {{"20", 20},     {"0", 0},        {"1TiB", 1024},
                                                 {"2048MiB", 2}, {"0.5TiB", 512}, {"1P", 1048576}};
  for (const auto& [text, gib] : disk) EXPECT_EQ(gibibytes_typed("--disk", text), gib) << text;
}

TEST(TypedSizes, ThatCanHardlyBeMeantAreRefused) {
  EXPECT_EQ(refusal([] { mebibytes_typed("--memory", "8"); }),
            "--memory: wanted a unit with so small a number: 8GiB, or 8MiB if that is what you mean, found '8'");
  EXPECT_EQ(
      refusal([] { gibibytes_typed("--disk", "20480"); }),
      "--disk: wanted a unit with so large a number: 20480MiB, or 20480GiB if that is what you mean, found '20480'");
}

TEST(TypedSizes, AreRefusedWhenTheyAreNone) {
  for (const char* text : {"", " ", "x", "-1", "-1GiB", "1e3", "1,5GiB", "1.3MiB", "8GB", "GiB", "1Gib1", "nan", "inf",
                           "9999999999GiB", "0x10", "1 Gi B", "+1"})
    EXPECT_NE(refusal([&] { mebibytes_typed("--memory", text); }), "") << text;
  EXPECT_NE(refusal([] { gibibytes_typed("--disk", "500MiB"); }), "");
}

TEST(TypedNumbers, AreWholeAndWithinTheirRange) {
  EXPECT_EQ(whole_number("--count", "3", 1), 3);
  EXPECT_EQ(whole_number("--count", "3.0", 1), 3);
  for (const char* text : {"0", "-1", "1.5", "1,5", "", "x", "1e3", "1 ", "99999999999"})
    EXPECT_EQ(refusal([&] { whole_number("--count", text, 1); }),
              "--count: wanted a whole number of 1 to 2147483648, found '" + std::string(text) + "'");
}

TEST(TypedDurations, NeedTheirUnit) {
  EXPECT_EQ(duration_typed("--older-than", "90s"), 90);
  EXPECT_EQ(duration_typed("--older-than", "1.5h"), 5400);
  EXPECT_EQ(duration_typed("--older-than", "2d"), 172800);
  for (const char* text : {"5", "0s", "-1h", "h", "", "5m", "5 weeks"})
    EXPECT_NE(refusal([&] { duration_typed("--older-than", text); }), "") << text;
}

TEST(TypedNumbers, AreReadAlikeInEveryLocale) {
  if (std::setlocale(LC_ALL, "de_DE.UTF-8") == nullptr) GTEST_SKIP() << "no German locale here";
  EXPECT_EQ(mebibytes_typed("--memory", "0.5GiB"), 512);
  std::setlocale(LC_ALL, "C");
}

}  // namespace
}  // namespace emplace::cli
