#include "service/core/base/utf8.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

namespace emplace {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, KeepsWhatIsGood) {
  for (const auto text : {""sv, "plain"sv, "zwölf €, 𝄞"sv, "\x7f\x01"sv, "\xf4\x8f\xbf\xbf"sv}) {
    EXPECT_TRUE(is_utf8(text));
    EXPECT_EQ(to_utf8(text), text);
  }
}

TEST(Utf8, ReplacesWhatBelongsToNoCharacter) {
  EXPECT_EQ(to_utf8("a\xff\xfe!"), "a\uFFFD\uFFFD!");
  EXPECT_EQ(to_utf8("a\x80!"), "a\uFFFD!");                              // a continuation of nothing
  EXPECT_EQ(to_utf8("\xc0\xaf!"), "\uFFFD\uFFFD!");                      // overlong
  EXPECT_EQ(to_utf8("\xed\xa0\x80!"), "\uFFFD\uFFFD\uFFFD!");            // a surrogate
  EXPECT_EQ(to_utf8("\xf4\x90\x80\x80!"), "\uFFFD\uFFFD\uFFFD\uFFFD!");  // beyond U+10FFFF
  EXPECT_EQ(to_utf8("\xe2\x82(!"), "\uFFFD\uFFFD(!");                    // broken off in the middle
  EXPECT_EQ(to_utf8("a\0b"sv), "a\uFFFDb");
}

TEST(Utf8, EndsWithAWholeCharacter) {
  EXPECT_EQ(to_utf8("abc\xc3"), "abc");
  EXPECT_EQ(to_utf8("abc\xf0\x9d\x84"), "abc");
  EXPECT_EQ(to_utf8("aäb", 2), "a");
  EXPECT_EQ(to_utf8("aäb", 3), "aä");
  EXPECT_EQ(to_utf8("a\xff!", 3), "a") << "what takes its place counts";
  EXPECT_EQ(to_utf8("abc", 0), "");
}

RC_GTEST_PROP(Utf8, MakesAnyBytesText, (const std::string& bytes)) {
  const std::string text = to_utf8(bytes);
  RC_ASSERT(is_utf8(text));
  RC_ASSERT(text.find('\0') == std::string::npos);
  RC_ASSERT(to_utf8(text) == text);
  const std::size_t most = *rc::gen::inRange<std::size_t>(0, 20);
  const std::string cut = to_utf8(bytes, most);
  RC_ASSERT(cut.size() <= most);
  RC_ASSERT(is_utf8(cut));
  RC_ASSERT(text.starts_with(cut));
}

}  // namespace
}  // namespace emplace
