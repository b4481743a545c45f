#include "service/core/base/shown_text.h"

#include <gtest/gtest.h>

#include "service/core/json/json.h"

namespace emplace {
namespace {

std::string utf8(char32_t c) {
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
  if (c < 0x10000) {
    return {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
            static_cast<char>(0x80 | (c & 0x3f))};
  }
  return {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3f)),
          static_cast<char>(0x80 | (c >> 6 & 0x3f)), static_cast<char>(0x80 | (c & 0x3f))};
}

TEST(ShownText, KnowsWhatDoesNotShow) {
  for (const char32_t c :
       {U'\0',     U'\t',     U'\n',     U'\x1f',   U'\x7f',       U'\x80',      U'\x85',   U'\x9f',
        U'\u061c', U'\u200b', U'\u200e', U'\u2028', U'\u2029',     U'\u202a',    U'\u202e', U'\u2060',
        U'\u2066', U'\u2069', U'\ufeff', U'\ufff9', U'\U000e0001', U'\U000e0041'}) {
    EXPECT_TRUE(has_hidden("web" + utf8(c))) << static_cast<std::uint32_t>(c);
  }
  for (const char32_t c : {U' ', U'~', U'\xa0', U'\xff', U'\u0641', U'\u200c', U'\u200d', U'\u2010', U'\u2030',
                           U'\u4e2d', U'\ufffd', U'\U0001f600'}) {
    EXPECT_FALSE(has_hidden(utf8(c) + "web")) << static_cast<std::uint32_t>(c);
  }
}

TEST(ShownText, TakesWhatIsNoUtf8ForHidden) {
  for (const char* bad :
       {"\x80", "a\xff", "\xc3", "\xc0\xaf", "\xe2\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80"}) {
    EXPECT_TRUE(has_hidden(bad)) << bad;
    EXPECT_NE(log_text(bad).find("\\ufffd"), std::string::npos) << bad;
  }
}

TEST(LogText, IsOneStringOfJsonWhateverIsInIt) {
  EXPECT_EQ(log_text("plain text"), "\"plain text\"");
  EXPECT_EQ(log_text(""), "\"\"");
  EXPECT_EQ(log_text("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(log_text("a\nlevel=error\r\t\x1b[31m"), R"("a\nlevel=error\u000d\t\u001b[31m")");
  EXPECT_EQ(log_text("n\xc3\xa4me\xc2\x85\xe2\x80\xae"), "\"n\xc3\xa4me\\u0085\\u202e\"");
  EXPECT_EQ(log_text(utf8(U'\U000e0041')), R"("\udb40\udc41")");
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = "x" + std::string(1, static_cast<char>(byte)) + "y";
    const auto document = JsonDocument::parse(log_text(text));
    ASSERT_TRUE(document) << byte;
    if (byte > 0 && byte < 0x80) {
      EXPECT_EQ(document->root().text(), text);
    }
  }
}

TEST(ShownText, LeavesALineAsItIsButForWhatDoesNotShow) {
  EXPECT_EQ(shown_text("level=info error=\"a\\nb\""), "level=info error=\"a\\nb\"");
  EXPECT_EQ(shown_text("a\nb\xff"), "a\\nb\\ufffd");
}

}  // namespace
}  // namespace emplace
