#include "service/rest/cloud_view.h"

#include <gtest/gtest.h>

#include "tests/unit/cluster.h"

namespace emplace::http {
namespace {

using Names = std::vector<std::string>;

const std::optional<CloudView> kUnread = CloudView{0, true, "openstack.servers: answered 500"};
const std::optional<CloudView> kRead = CloudView{7, true, {}};

TEST(UnreadCloud, LeavesNoAnswerWhereAllHostsMayBeTheClouds) {
  const auto refused = unread_cloud(kUnread, Cluster().picture(), {});

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(refused.error().detail_code, "emplace.cloud.unread");
  EXPECT_NE(refused.error().message.find("never read"), std::string::npos);
  EXPECT_NE(refused.error().message.find("openstack.servers: answered 500"), std::string::npos);
}

TEST(UnreadCloud, IsToldWhereOtherHostsAreThere) {
  const Cluster cluster({host("a")});
  const auto told = unread_cloud(kUnread, cluster.picture(), {});

  ASSERT_TRUE(told);
  EXPECT_NE(told->find("openstack.servers"), std::string::npos);
}

TEST(UnreadCloud, MattersOnlyForHostsThatAreAskedAbout) {
  const Cluster cluster({host("a"), host("b")});
  const auto asked = [&](const Names& names, bool must_be_known) {
    return unread_cloud(kUnread, cluster.picture(), {&names, must_be_known});
  };
  EXPECT_EQ(asked({"a", "b"}, true).value(), "");
  EXPECT_EQ(asked({}, true).value(), "");
  EXPECT_NE(asked({"a", "cmp0"}, false).value(), "");
  EXPECT_FALSE(asked({"a", "cmp0"}, true));
  EXPECT_FALSE(asked({"cmp0", "cmp1"}, false));
}

TEST(UnreadCloud, IsNotKnownByItsHostsThatAreBeingWritten) {
  HostRow written = host("cmp0");
  written.source = kCloudSource;
  const Cluster cluster({host("a"), written});
  const auto asked = [&](const Names& names) { return unread_cloud(kUnread, cluster.picture(), {&names}); };

  EXPECT_FALSE(unread_cloud(kUnread, cluster.picture(), {}));
  EXPECT_FALSE(asked({"cmp0"}));
  EXPECT_FALSE(asked({"a", "cmp0"}));
  EXPECT_EQ(asked({"a"}).value(), "");
}

TEST(UnreadCloud, IsNoneWithoutACloudOrOnceItWasRead) {
  EXPECT_EQ(unread_cloud(std::nullopt, Cluster().picture(), {}).value(), "");
  EXPECT_EQ(unread_cloud(kRead, Cluster().picture(), {}).value(), "");
}

}  // namespace
}  // namespace emplace::http
