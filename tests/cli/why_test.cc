#include "cli/why.h"

#include <gtest/gtest.h>

namespace emplace::cli {
namespace {

std::string why_of(const std::string& json) { return why(Json::parse(json, "test")); }

TEST(Why, NamesWhatTheHostLeadsIn) {
  EXPECT_EQ(why_of(R"({"candidates":8,"ranking":[
      {"host":"h6","costs":{"resource.load":{"value":33.33,"unit":"%","quality":"ok"},"x.y":{"value":5,"unit":"W"}}},
      {"host":"h1","costs":{"resource.load":{"value":43.75,"unit":"%","quality":"ok"},"x.y":{"value":5,"unit":"W"}}}],
      "refused":{"count":6,"by_filter":{"spread":4,"zone":2}}})"),
            "h6 was chosen of 8 hosts that fit: it has the least load, 33.3 %, and the next best 43.8; 6 others were "
            "refused, 4 by spread and 2 by zone.");
}

TEST(Why, SaysWhatACompromiseIsOf) {
  EXPECT_EQ(why_of(R"({"candidates":2,"ranking":[
      {"host":"a","costs":{"resource.load":{"value":6,"unit":"%"},"heat.fill":{"value":40,"unit":"W"}}},
      {"host":"b","costs":{"resource.load":{"value":2,"unit":"%"},"heat.fill":{"value":40,"unit":"W"}}}]})"),
            "a was chosen of 2 hosts that fit: it is the best compromise of load 6 % (the least is 2) and heat.fill 40 "
            "W (the "
            "least is 40).");
}

TEST(Why, TellsEqualHostsFromBetterOnes) {
  EXPECT_EQ(why_of(R"({"candidates":2,"ranking":[{"host":"a","costs":{"o.p":{"value":1,"unit":"%"}}},
                                                 {"host":"b","costs":{"o.p":{"value":1,"unit":"%"}}}]})"),
            "a was chosen of 2 hosts that fit: no other costs less in anything.");
}

TEST(Why, DoesNotCompareWhatIsNotKnown) {
  EXPECT_EQ(why_of(R"({"candidates":2,"ranking":[
      {"host":"a","costs":{"o.p":{"value":null,"unit":"%","quality":"no_data"}}},
      {"host":"b","costs":{"o.p":{"value":0,"unit":"%","quality":"ok"}}}]})"),
            "a was chosen of 2 hosts that fit: nothing is known that would set the others apart.");
}

TEST(Why, NamesTheOnlyHostAndTheOneThatCameTooLate) {
  EXPECT_EQ(why_of(R"({"candidates":1,"ranking":[{"host":"a","costs":{}}]})"), "a is the only host that fits.");
  EXPECT_EQ(why_of(R"({"candidates":9,"ranking":[{"host":"a","costs":{}}]})"),
            "a was chosen of 9 hosts that fit: it comes first in the order of the profile.");
  EXPECT_EQ(
      why_of(R"({"candidates":2,"ranking":[{"host":"a","costs":{}},{"host":"b","costs":{}}],"claim":{"host":"b"}})"),
      "b was taken because a, which comes first, had no room left.");
}

TEST(Why, ComparesWeightsWhereThereAreSome) {
  EXPECT_EQ(
      why_of(R"({"candidates":2,"ranking":[{"host":"a","costs":{},"weight":2.5},{"host":"b","costs":{},"weight":1}]})"),
      "a was chosen of 2 hosts that fit: its weight is the greatest, 2.5, and the next one 1.");
}

TEST(Why, TakesWhatReadsTheSameForTheSame) {
  EXPECT_EQ(why_of(R"({"candidates":2,"ranking":[{"host":"a","costs":{"o.p":{"value":2.4201,"unit":"%"}}},
                                                 {"host":"b","costs":{"o.p":{"value":2.4202,"unit":"%"}}}],
                       "refused":{"count":1,"by_filter":{"zone":1}}})"),
            "a was chosen of 2 hosts that fit: no other costs less in anything; 1 other was refused by zone.");
}

TEST(Why, SaysWhoRefusedAllHosts) {
  EXPECT_EQ(why_of(R"({"candidates":0,"ranking":[],"refused":{"count":4,"by_filter":{"capacity":3,"group":1}}})"),
            "No host fits: all 4 were refused, 3 by capacity and 1 by group.");
  EXPECT_EQ(why_of(R"({"candidates":0,"ranking":[]})"), "There is no host to choose from.");
}

}  // namespace
}  // namespace emplace::cli
