#include "cli/doctor.h"

#include <gtest/gtest.h>

namespace emplace::cli {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

TEST(Complaints, AreToldOnceByWhoKnowsBest) {
  Complaints complaints(Json::parse(R"({"reasons":["store: no answer"],"warnings":["host h1: refused","host h2: gone",
      "openstack.servers: last read 3 s ago: timeout","a sentence without a name"]})",
                                    "test"));

  EXPECT_EQ(complaints.take("store"), std::vector<std::string>{"no answer"});
  EXPECT_EQ(complaints.take("host h1"), std::vector<std::string>{"refused"});
  EXPECT_EQ(complaints.take("host h1"), std::vector<std::string>{});
  EXPECT_EQ(complaints.rest(), (Lines{{"host h2", "gone"},
                                      {"openstack.servers", "last read 3 s ago: timeout"},
                                      {"ready", "a sentence without a name"}}));
}

TEST(Complaints, TellOfTheBrakeUnderItsOwnName) {
  Complaints complaints(Json::parse(
      R"({"reasons":["openstack.picture: last read 9 s ago: brake: OpenStack lists 5 of 10 hosts no more"]})", "test"));
  EXPECT_EQ(complaints.take("openstack.picture"), std::vector<std::string>{});
  EXPECT_EQ(complaints.take("brake"), std::vector<std::string>{"OpenStack lists 5 of 10 hosts no more"});
}

TEST(Complaints, AreNoneWhereTheServiceSaysNothing) { EXPECT_EQ(Complaints(Json()).rest(), Lines{}); }

TEST(Figures, AreReadWithTheirLabel) {
  const std::string page =
      "# HELP emplace_source_good 1 when\nemplace_source_good{source=\"openstack.hypervisors\"} 1\n"
      "emplace_source_good{source=\"openstack.servers\"} 0\nemplace_source_good_more 7\nemplace_age 2.5\n";
  EXPECT_EQ(figures(page, "emplace_source_good"),
            (std::vector<std::pair<std::string, double>>{{"openstack.hypervisors", 1}, {"openstack.servers", 0}}));
  EXPECT_EQ(figures(page, "emplace_age"), (std::vector<std::pair<std::string, double>>{{"", 2.5}}));
  EXPECT_TRUE(figures(page, "emplace_none").empty());
}

}  // namespace
}  // namespace emplace::cli
