#include "service/core/json/json.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

namespace emplace {
namespace {

std::string fault_of(std::string_view text) {
  const auto document = JsonDocument::parse(text);
  return document ? "" : document.error().message;
}

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(JsonDocument, ReadsWhatItWrites) {
  const std::string text = R"({"a":[1,-2,1.5,1.0,true,null],"b":"\"\\\n\u0001é","c":{}})";

  const auto document = JsonDocument::parse(text);

  ASSERT_TRUE(document);
  EXPECT_EQ(to_json(document->root()), text);
}

TEST(JsonValue, HasNothingInItWhereItIsNoContainer) {
  for (const std::string_view text : {"null", "true", "7", "\"x\""}) {
    const auto document = JsonDocument::parse(text, "document");
    ASSERT_TRUE(document);
    EXPECT_EQ(document->root().size(), 0u) << text;
    EXPECT_FALSE(document->root().find("x")) << text;
  }
}

TEST(JsonDocument, RefusesAMillionOpenBrackets) {
  EXPECT_TRUE(mentions(fault_of(std::string(1'000'000, '[')), "at most 64 deep"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_TRUE(mentions(fault_of(objects), "at most 64 deep"));
}

TEST(JsonDocument, TakesDepth64AndNoMore) {
  EXPECT_EQ(fault_of(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_NE(fault_of(std::string(65, '[') + std::string(65, ']')), "");
}

TEST(JsonDocument, RefusesDuplicateKeysAtAnyDepth) {
  EXPECT_EQ(fault_of(R"({"a":1,"a":1})"), "a: wanted each field once, found it twice");
  EXPECT_EQ(fault_of(R"({"x":[{"a":1},{"b":1,"c":2,"b":3}]})"), "x[1].b: wanted each field once, found it twice");
  EXPECT_EQ(fault_of(R"({"a":1,"\u0061":2})"), "a: wanted each field once, found it twice");
}

TEST(JsonDocument, RefusesWhatIsNoJson) {
  for (const std::string_view text :
       {"", "NaN", "[NaN]", "[Infinity]", "[-Infinity]", "[1e999]", "[1.8e308]", "{} {}", "[1,]", "{'a':1}", "[01]",
        "[+1]", "\"\\ud800\"", "\"\\udc00\"", "\"\xff\"", "[\"\xc0\xaf\"]", "// a\n1", "tru"}) {
    EXPECT_NE(fault_of(text), "") << text;
  }
}

TEST(JsonDocument, QuotesNoKeyThatIsNoText) {
  EXPECT_EQ(fault_of(R"({"a":{"\udc00":1,"\udc00":1}})"), "a: wanted text, found half a surrogate pair");
}

TEST(JsonDocument, RefusesNulBytes) {
  EXPECT_TRUE(mentions(fault_of(std::string_view("{}\0", 3)), "NUL"));
  EXPECT_TRUE(mentions(fault_of(std::string_view("{\"a\0\":1}", 8)), "NUL"));
}

TEST(JsonDocument, SaysWhereTheFaultIs) { EXPECT_TRUE(mentions(fault_of("{\n  \"a\": }"), "line 2, column 8")); }

TEST(JsonNumber, ReadsBackToTheSameDouble) {
  for (const double value : {0.1, 1.0 / 3, 1e22, 5e-324, 1.7976931348623157e308, 123456789.125, -0.0, 2147483648.0}) {
    const auto document = JsonDocument::parse(json_number(value));
    ASSERT_TRUE(document) << value;
    EXPECT_EQ(std::signbit(document->root().number()), std::signbit(value));
    EXPECT_EQ(document->root().number(), value);
  }
}

TEST(JsonNumber, IsReadHoweverItIsWritten) {
  const std::string tiny = "0." + std::string(400, '0') + "1";
  const std::pair<std::string, double> cases[] = {{"0e30", 0},
                                                  {"0e100", 0},
                                                  {"0E308", 0},
                                                  {"0e-30", 0},
                                                  {"0.00e99", 0},
                                                  {"1E+2", 100},
                                                  {"2.5e-1", 0.25},
                                                  {"1e-400", 0},
                                                  {tiny, 0},
                                                  {tiny + "e401", 1},
                                                  {"0.1e-999999999", 0},
                                                  {"123456789012345678901234567890", 1.2345678901234568e29},
                                                  {"9007199254740993", 9007199254740992.0},
                                                  {"-18446744073709551616", -18446744073709551616.0}};
  for (const auto& [text, value] : cases) {
    const auto document = JsonDocument::parse("[" + text + "]");
    ASSERT_TRUE(document) << text << ": " << document.error().message;
    EXPECT_EQ(document->root().item(0).number(), value) << text;
  }
  EXPECT_TRUE(std::signbit(JsonDocument::parse("[-0e99]")->root().item(0).number()));
}

TEST(JsonNumber, IsWholeWhenItIsWrittenSo) {
  for (const char* text : {"0", "-1", "2147483648", "-2147483649", "9223372036854775807", "-9223372036854775808",
                           "18446744073709551615"}) {
    EXPECT_EQ(JsonDocument::parse(std::string("[") + text + "]")->root().item(0).number_text(), text);
  }
  EXPECT_EQ(JsonDocument::parse("[0e5]")->root().item(0).number_text(), "0.0");
}

TEST(JsonNumber, IsRefusedWhenTooBigForADouble) {
  for (const std::string& text :
       std::vector<std::string>{"1e309", "-1e309", "1.8e308", "0.001e312", "1e999999999999"}) {
    EXPECT_NE(fault_of("[" + text + "]"), "") << text;
  }
  EXPECT_NE(fault_of("[" + std::string(400, '9') + "]"), "");
}

RC_GTEST_PROP(JsonNumber, ReadsBackToTheSameDoubleForAny, (double value)) {
  RC_PRE(std::isfinite(value));
  RC_ASSERT(JsonDocument::parse(json_number(value))->root().number() == value);
}

RC_GTEST_PROP(JsonText, SurvivesWritingAndReading, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::inRange<char>(0, 127));
  RC_ASSERT(JsonDocument::parse(json_text(text))->root().text() == text);
}

TEST(JsonWriter, WritesNullForWhatIsNoNumber) {
  JsonWriter writer;
  writer.open_list().number(std::nan("")).number(std::numeric_limits<double>::infinity()).close_list();
  EXPECT_EQ(writer.take(), "[null,null]");
}

struct Shape {
  double vcpus = 0;
  std::string name;
  bool flag = false;
  std::vector<std::string> names;
};

std::string read_fault(std::string_view json) {
  const auto document = JsonDocument::parse(json);
  JsonErrors errors;
  Shape shape;
  JsonFields fields(document.value().root(), "vm", errors);
  fields.whole("vcpus", shape.vcpus);
  fields.name("name", shape.name);
  fields.flag("flag", shape.flag);
  fields.names("names", shape.names);
  fields.refuse_unknown();
  return errors.none() ? "" : errors.failure().value().message;
}

TEST(JsonFields, NamesTheFieldWhatWasWantedAndWhatWasFound) {
  EXPECT_EQ(read_fault(R"({"vcpus":"x"})"), R"(vm.vcpus: wanted a whole number from 0 to 2147483648, found "x")");
  EXPECT_EQ(read_fault(R"({"vcpus":-1})"), "vm.vcpus: wanted a whole number from 0 to 2147483648, found -1");
  EXPECT_EQ(read_fault(R"({"vcpus":1.5})"), "vm.vcpus: wanted a whole number from 0 to 2147483648, found 1.5");
  EXPECT_EQ(read_fault(R"({"vcpus":1e30})"), "vm.vcpus: wanted a whole number from 0 to 2147483648, found 1e+30");
  EXPECT_EQ(read_fault(R"({"vcpus":null})"), "vm.vcpus: wanted a whole number from 0 to 2147483648, found null");
  EXPECT_EQ(read_fault(R"({"flag":1})"), "vm.flag: wanted true or false, found 1");
  EXPECT_EQ(read_fault(R"({"colour":{}})"), "vm.colour: wanted no such field, found an object");
  EXPECT_EQ(read_fault(R"([1])"), "vm: wanted an object, found a list");
  EXPECT_EQ(read_fault(R"({"names":["a","a"]})"), R"(vm.names[1]: wanted each name once, found "a" twice)");
}

TEST(JsonFields, TakesWholeNumbersHoweverWritten) {
  EXPECT_EQ(read_fault(R"({"vcpus":1e3})"), "");
  EXPECT_EQ(read_fault(R"({"vcpus":4.0})"), "");
  EXPECT_EQ(read_fault(R"({"vcpus":2147483648})"), "");
  EXPECT_NE(read_fault(R"({"vcpus":2147483649})"), "");
}

TEST(JsonFields, RefusesNamesThatAreNone) {
  EXPECT_TRUE(mentions(read_fault(R"({"name":""})"), "vm.name: wanted a name of 1 to 255 characters"));
  EXPECT_TRUE(mentions(read_fault(R"({"name":"a\u0000b"})"), "vm.name: wanted a name"));
  EXPECT_TRUE(mentions(read_fault("{\"name\":\"" + std::string(65536, 'x') + "\"}"), "found 65536 characters"));
  EXPECT_EQ(read_fault("{\"name\":\"" + std::string(255, 'x') + "\"}"), "");
  std::string wide;
  for (int i = 0; i < 255; ++i) wide += "\u4e2d";
  EXPECT_EQ(read_fault("{\"name\":\"" + wide + "\"}"), "") << "characters count, not bytes";
}

}  // namespace
}  // namespace emplace
