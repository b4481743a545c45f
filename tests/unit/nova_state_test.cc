#include "service/core/nova_state.h"

#include <gtest/gtest.h>

#include <string>

namespace emplace {
namespace {

Result<std::string> pushed(std::string_view state, std::string_view attributes) {
  const auto document = JsonDocument::parse(attributes);
  return document ? with_pushed(state, document->root()) : tl::unexpected(document.error());
}

const std::string kRead = R"({"host":"c1","unread":["numa_topology","pci_stats"]})";

TEST(PushedState, TakesThePlaceOfWhatWasPushedBefore) {
  const std::string first = pushed(kRead, R"({"numa_topology":{"cells":[]},"failed_builds":null})").value();
  EXPECT_EQ(first, R"({"host":"c1","numa_topology":{"cells":[]},"pushed":["numa_topology"],"unread":["pci_stats"]})");
  EXPECT_EQ(pushed(first, R"({"pci_stats":[]})").value(),
            R"({"host":"c1","pci_stats":[],"pushed":["pci_stats"],"unread":["numa_topology"]})");
  EXPECT_EQ(pushed(first, "{}").value(), R"({"host":"c1","pushed":[],"unread":["pci_stats","numa_topology"]})");
  EXPECT_EQ(pushed("", R"({"metrics":[]})").value(), R"({"metrics":[],"pushed":["metrics"],"unread":[]})");
}

TEST(PushedState, IsKeptOverReadings) {
  const std::string known = pushed(kRead, R"({"numa_topology":{"cells":[]}})").value();
  const std::string fresh = R"({"host":"c1","num_io_ops":3,"unread":["numa_topology","pci_stats"]})";

  const std::string kept = keep_pushed(fresh, known);

  EXPECT_EQ(kept, R"({"host":"c1","num_io_ops":3,"numa_topology":{"cells":[]},"pushed":["numa_topology"],"unread":["pci_stats"]})");
  EXPECT_EQ(keep_pushed(kept, known), kept);
  EXPECT_EQ(keep_pushed(fresh, kRead), fresh);
  EXPECT_EQ(keep_pushed(fresh, ""), fresh);
  EXPECT_EQ(keep_pushed(pushed(kRead, "{}").value(), known), pushed(kRead, "{}").value()) << "who pushes has the last word";
}

TEST(PushedState, IsNoneOfWhatTheCloudSays) {
  for (const char* text : {R"({"host":"x"})", R"({"placement":{}})", R"({"unread":[]})", R"({"pushed":["a"]})"}) {
    const auto state = pushed(kRead, text);
    ASSERT_FALSE(state) << text;
    EXPECT_EQ(state.error().code, ErrorCode::kInvalid);
    EXPECT_NE(state.error().message.find("wanted none"), std::string::npos);
  }
  EXPECT_FALSE(pushed(kRead, "[]"));
}

}  // namespace
}  // namespace emplace
