#include "service/core/change/nova_state.h"

#include <gtest/gtest.h>

#include <string>

namespace emplace {
namespace {

const std::string kRead = R"({"host":"c1","unread":["numa_topology","pci_stats"]})";

TEST(PushedState, TakesThePlaceOfWhatWasPushedBefore) {
  const std::string first = with_pushed(kRead, R"({"numa_topology":{"cells":[]}})").value();
  EXPECT_EQ(first, R"({"host":"c1","numa_topology":{"cells":[]},"pushed":["numa_topology"],"unread":["pci_stats"]})");
  EXPECT_EQ(with_pushed(first, R"({"pci_stats":[]})").value(),
            R"({"host":"c1","pci_stats":[],"pushed":["pci_stats"],"unread":["numa_topology"]})");
  EXPECT_EQ(with_pushed(first, "{}").value(), R"({"host":"c1","pushed":[],"unread":["pci_stats","numa_topology"]})");
  EXPECT_EQ(with_pushed("", R"({"metrics":[]})").value(), R"({"metrics":[],"pushed":["metrics"],"unread":[]})");
}

TEST(PushedState, SaysWithNullThatThereIsNone) {
  EXPECT_EQ(with_pushed(kRead, R"({"numa_topology":null})").value(),
            R"({"host":"c1","numa_topology":null,"pushed":["numa_topology"],"unread":["pci_stats"]})");
}

TEST(PushedState, IsReadFromNovasTexts) {
  EXPECT_EQ(
      with_pushed(kRead, R"({"numa_topology":"{\"cells\":[]}","pci_stats":"[]"})").value(),
      R"({"host":"c1","numa_topology":{"cells":[]},"pci_stats":[],"pushed":["numa_topology","pci_stats"],"unread":[]})");
  EXPECT_FALSE(with_pushed(kRead, R"({"num_io_ops":"10"})")) << "only what is no single value is a text in Nova";
}

TEST(PushedState, IsKeptOverReadings) {
  const std::string known = with_pushed(kRead, R"({"numa_topology":{"cells":[]}})").value();
  const std::string fresh = R"({"host":"c1","num_io_ops":3,"unread":["numa_topology","pci_stats"]})";

  const std::string kept = keep_pushed(fresh, known);

  EXPECT_EQ(
      kept,
      R"({"host":"c1","num_io_ops":3,"numa_topology":{"cells":[]},"pushed":["numa_topology"],"unread":["pci_stats"]})");
  EXPECT_EQ(keep_pushed(kept, known), kept);
  EXPECT_EQ(keep_pushed(fresh, kRead), fresh);
  EXPECT_EQ(keep_pushed(fresh, ""), fresh);
  EXPECT_EQ(keep_pushed(with_pushed(kRead, "{}").value(), known), with_pushed(kRead, "{}").value())
      << "who pushes has the last word";
}

TEST(PushedState, IsNoneOfWhatTheCloudSays) {
  for (const char* text : {R"({"host":"x"})", R"({"placement":{}})", R"({"unread":[]})", R"({"pushed":["a"]})"}) {
    const auto state = with_pushed(kRead, text);
    ASSERT_FALSE(state) << text;
    EXPECT_EQ(state.error().code, ErrorCode::kInvalid);
    EXPECT_NE(state.error().message.find("wanted none"), std::string::npos);
  }
  for (const char* text : {"[]", "", "{", "null", "5"}) EXPECT_FALSE(with_pushed(kRead, text)) << text;
}

TEST(PushedState, IsWhatNovaHasUnderThatName) {
  for (const char* text : {R"({"numa_topology":5})", R"({"numa_topology":"x"})", R"({"pci_stats":"x"})",
                           R"({"metrics":{}})", R"({"stats":[1]})", R"({"supported_instances":[["x86_64","kvm"]]})",
                           R"({"supported_instances":{}})", R"({"cpu_info":[]})", R"({"num_io_ops":"ten"})",
                           R"({"num_io_ops":-1})", R"({"failed_builds":1.5})", R"({"cell_uuid":{}})"}) {
    const auto state = with_pushed(kRead, text);
    ASSERT_FALSE(state) << text;
    EXPECT_EQ(state.error().code, ErrorCode::kInvalid);
  }
  EXPECT_EQ(with_pushed(kRead, R"({"num_io_ops":"ten"})").error().message,
            "num_io_ops: wanted a whole number from 0, found \"ten\"");
  EXPECT_FALSE(with_pushed(kRead, "{\"metrics\":[\"" + std::string(kMostNovaState, 'x') + "\"]}"));
}

}  // namespace
}  // namespace emplace
