#include "cli/json.h"

#include <gtest/gtest.h>

#include "cli/failure.h"

namespace emplace::cli {
namespace {

TEST(Json, ReadsWhatIsThereAndFallsBackWhereItIsNot) {
  const Json json = Json::parse(R"({"name":"h1","vcpus":64,"numa":[{"vcpus":32}],"on":true})", "test");

  EXPECT_EQ(json["name"].string(), "h1");
  EXPECT_EQ(json["vcpus"].number(), 64);
  EXPECT_EQ(json["numa"].at(0)["vcpus"].number(), 32);
  EXPECT_TRUE(json["on"].truth());
  EXPECT_TRUE(json["missing"]["below"].at(7).is_null());
  EXPECT_EQ(json["missing"].number(5), 5);
  EXPECT_EQ(json["vcpus"].string("no text"), "no text");
}

TEST(Json, ValuesOutliveTheirDocument) {
  Json cell;
  { cell = Json::parse(R"({"numa":[{"vcpus":32}]})", "test")["numa"].at(0); }
  EXPECT_EQ(cell["vcpus"].number(), 32);
}

TEST(Json, NamesSourceAndPlaceOfAMistake) {
  try {
    Json::parse("{\"a\":1,}", "hosts.json");
    FAIL() << "parsed";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), kBadInput);
    EXPECT_EQ(std::string(failure.what()).find("hosts.json: not JSON at byte 7"), 0u) << failure.what();
  }
}

TEST(Json, SurvivesAMillionBrackets) { EXPECT_THROW(Json::parse(std::string(1'000'000, '['), "test"), Failure); }

TEST(Json, NeedSaysWhatIsMissing) { EXPECT_THROW(Json::parse("{}", "test").need("id"), Failure); }

TEST(JsonWriter, WritesWhatJsonReads) {
  JsonWriter writer;
  writer.begin_object().field("name", "a \"b\"\n").field("whole", 3.0).field("half", 0.5).field("on", false);
  writer.field_if("left_out", "").field("list", std::vector<std::string>{"x", "y"}).end_object();
  const std::string text = writer.take();

  EXPECT_EQ(text, R"({"name":"a \"b\"\n","whole":3,"half":0.5,"on":false,"list":["x","y"]})");
  EXPECT_EQ(Json::parse(text, "test")["name"].string(), "a \"b\"\n");
}

}  // namespace
}  // namespace emplace::cli
