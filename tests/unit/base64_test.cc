#include "service/core/base/base64.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <utility>

namespace emplace {
namespace {

TEST(Base64, GivesTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
}

TEST(Base64, RefusesWhatIsNotCanonical) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "====", "=Zg=", "Z===", "Zh==", "Zm9=", "Zm 8", "Zm8-",
                           "Zm9vZg==Zg==", "\xff\xff\xff\xff"}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
}

// Every text of four characters of a small alphabet is either refused or the very text that its bytes are written as.
TEST(Base64, DecodesOnlyItsOwnTexts) {
  const std::string alphabet = "AQgw/+= ";
  std::size_t decoded = 0;
  for (const char a : alphabet) {
    for (const char b : alphabet) {
      for (const char c : alphabet) {
        for (const char d : alphabet) {
          const std::string text = {a, b, c, d};
          const auto bytes = base64_decode(text);
          if (!bytes) continue;
          ++decoded;
          EXPECT_EQ(base64_encode(*bytes), text);
        }
      }
    }
  }
  EXPECT_GT(decoded, 1000u);
}

RC_GTEST_PROP(Base64, ReadsBackAnyBytes, (const std::string& bytes)) {
  RC_ASSERT(base64_decode(base64_encode(bytes)) == bytes);
}

}  // namespace
}  // namespace emplace
