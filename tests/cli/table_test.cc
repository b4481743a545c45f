#include "cli/table.h"

#include <gtest/gtest.h>

namespace emplace::cli {
namespace {

TEST(Table, AlignsNumbersRightAndTextLeft) {
  Table table({"HOST", "VCPUS>"});
  table.row({"h1", "8"});
  table.row({"a-longer-name", "128"});
  EXPECT_EQ(table.render(80), "HOST           VCPUS\nh1                 8\na-longer-name    128\n");
}

TEST(Table, ShortensTextButNeverNumbers) {
  Table table({"WHY", "N>"});
  table.row({std::string(200, 'x'), "123456789"});
  const std::string text = table.render(40);
  EXPECT_NE(text.find("…"), std::string::npos);
  EXPECT_NE(text.find("123456789"), std::string::npos);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    EXPECT_LE(display_width(std::string_view(text).substr(at, end - at)), 40u);
    at = end + 1;
  }
}

TEST(Shortened, CutsBetweenCodePoints) {
  EXPECT_EQ(shortened("größe", 5), "größe");
  EXPECT_EQ(shortened("größe", 4), "grö…");
  EXPECT_EQ(shortened("", 0), "");
}

TEST(Table, ShowsNoControlCharactersOfOthers) {
  Table table({"NAME"});
  table.row({"evil\x1b[2Jname\n"});
  EXPECT_EQ(table.render(80), "NAME\nevil?[2Jname?\n");
}

TEST(Table, CountsCodePointsNotBytes) {
  Table table({"NAME", "N>"});
  table.row({"größe", "1"});
  table.row({"groess", "2"});
  EXPECT_EQ(table.render(80), "NAME    N\ngröße   1\ngroess  2\n");
}

TEST(Amounts, AreWrittenForPeople) {
  EXPECT_EQ(mebibytes(512), "512 MiB");
  EXPECT_EQ(mebibytes(4096), "4 GiB");
  EXPECT_EQ(mebibytes(1536 * 1024.0), "1.5 TiB");
  EXPECT_EQ(share(1, 3), "33 %");
  EXPECT_EQ(share(1, 0), "-");
  EXPECT_EQ(age(3), "3 s");
  EXPECT_EQ(age(7200), "2 h");
}

}  // namespace
}  // namespace emplace::cli
