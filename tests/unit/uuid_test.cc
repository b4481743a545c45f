#include "service/core/base/uuid.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace emplace {
namespace {

Uuid uuid_of(const std::array<std::uint8_t, 16>& bytes) { return Uuid{bytes}; }

TEST(Uuid, WritesCanonicalText) {
  const Uuid id = uuid_of({0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0, 1, 2, 3, 4, 5, 6, 0xff});
  EXPECT_EQ(to_string(id), "12345678-9abc-def0-0001-0203040506ff");
  EXPECT_EQ(to_string(Uuid{}), "00000000-0000-0000-0000-000000000000");
}

TEST(Uuid, ReadsEitherCase) {
  const auto lower = parse_uuid("12345678-9abc-def0-0001-0203040506ff");
  const auto upper = parse_uuid("12345678-9ABC-DEF0-0001-0203040506FF");
  ASSERT_TRUE(lower && upper);
  EXPECT_EQ(*lower, *upper);
}

TEST(Uuid, RefusesEverythingElse) {
  for (const char* text : {"", "12345678-9abc-def0-0001-0203040506f", "12345678-9abc-def0-0001-0203040506fff",
                           "{2345678-9abc-def0-0001-0203040506f}", "123456789abcdef000010203040506ff0000",
                           "12345678-9abc-def0-0001-0203040506fg", "12345678-9abc-def0-0001+0203040506ff",
                           "1234567-89abc-def0-0001-0203040506ff", "12345678-9abc-def0-0001-02030405 6ff"}) {
    EXPECT_FALSE(parse_uuid(text)) << text;
  }
}

TEST(Uuid, KnowsZeroAndOrdersByBytes) {
  EXPECT_TRUE(Uuid{}.is_zero());
  EXPECT_FALSE(uuid_of({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}).is_zero());
  EXPECT_LT(uuid_of({1}), uuid_of({2}));
  EXPECT_LT(uuid_of({1, 9}), uuid_of({2, 0}));
}

RC_GTEST_PROP(Uuid, ReadsBackWhatItWrote, (const std::array<std::uint8_t, 16>& bytes)) {
  const Uuid id{bytes};
  const auto again = parse_uuid(to_string(id));
  RC_ASSERT(again.has_value());
  RC_ASSERT(*again == id);
  RC_ASSERT(again->low() == id.low());
}

}  // namespace
}  // namespace emplace
