// Hosts that refuse, hang or come late: nobody else is held up, every caller gets an answer.
#include <fmt/format.h>
#include <unistd.h>

#include <thread>

#include "service/hypervisor/hosts.h"
#include "tests/libvirt/harness.h"

namespace emplace {
namespace {

using namespace testing_libvirt;
using std::chrono::milliseconds;

HostStatus status_of(const LibvirtHosts& hosts, const std::string& name) {
  for (const HostStatus& state : hosts.states()) {
    if (state.name == name) return state;
  }
  return {};
}

// A status is only there to be asked for: no news tells that a call came back.
::testing::AssertionResult eventually(const std::function<bool()>& holds) {
  const Deadline limit = soon();
  while (!holds()) {
    if (std::chrono::steady_clock::now() > limit) return ::testing::AssertionFailure();
    std::this_thread::sleep_for(milliseconds(1));
  }
  return ::testing::AssertionSuccess();
}

TEST(DeadHost, RefusedConnectionIsOneClearLine) {
  const DeadPort port(false);
  Recorder recorder;
  LibvirtHosts hosts(event_loop(), {{"dead", port.uri()}}, quick(), recorder.reports());

  const auto news = recorder.wait("dead", [](const auto& all) { return !all.disconnected.empty(); });

  const std::string line = news.disconnected[0];
  EXPECT_NE(line.find("host dead at " + port.uri()), std::string::npos) << line;
  EXPECT_NE(line.find("Connection refused"), std::string::npos) << line;
  EXPECT_NE(line.find("libvirt error 38"), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  EXPECT_FALSE(status_of(hosts, "dead").connected);
  EXPECT_EQ(status_of(hosts, "dead").last_error, line);
}

TEST(DeadHost, AnswersAtOnceWhileItIsKnownToBeDown) {
  const DeadPort port(false);
  Recorder recorder;
  HypervisorOptions options = quick();
  options.retry_first = options.retry_most = std::chrono::hours(1);
  LibvirtHosts hosts(event_loop(), {{"dead", port.uri()}}, options, recorder.reports());

  const auto started = start(hosts, order("dead", 1, 101));

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kUnavailable);
  EXPECT_GT(started.error().retry_after_s, 0);
  EXPECT_NE(started.error().message.find("Connection refused"), std::string::npos) << started.error().message;
}

TEST(DeadHost, IsReportedOnceForOneReason) {
  const DeadPort port(false);
  Recorder recorder;
  TempDir dir;
  LibvirtHosts hosts(event_loop(), {{"dead", port.uri()}, test_host(dir, "h1")}, quick(), recorder.reports());
  recorder.wait("dead", [](const auto& all) { return !all.disconnected.empty(); });
  // Each failed start is answered between two attempts.
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(start(hosts, order("dead", 1, 101)));
  EXPECT_EQ(recorder.wait("dead", [](const auto&) { return true; }).disconnected.size(), 1u);
}

TEST(DeadHost, IsTriedAgainUntilItIsThere) {
  TempDir dir;
  Recorder recorder;
  const std::string path = (dir.path / "late.xml").string();
  LibvirtHosts hosts(event_loop(), {{"late", "test://" + path}}, quick(), recorder.reports());
  recorder.wait("late", [](const auto& all) { return !all.disconnected.empty(); });

  dir.write("late.xml", host_xml({}));

  recorder.wait_connected("late");
  EXPECT_TRUE(status_of(hosts, "late").connected);
  EXPECT_EQ(status_of(hosts, "late").last_error, "");
  EXPECT_TRUE(start(hosts, order("late", 1, 101)));
}

TEST(HangingHost, HoldsUpNobody) {
  const DeadPort port(true);
  TempDir dir;
  Recorder recorder;
  HypervisorOptions options = quick();
  options.act_deadline = milliseconds(200);
  options.connect_deadline = std::chrono::hours(1);
  LibvirtHosts hosts(event_loop(), {{"a-hangs", port.uri()}}, options, recorder.reports());
  LibvirtHosts others(event_loop(), {test_host(dir, "h1"), {"a-hangs", port.uri()}}, quick(), recorder.reports());
  const int connection = port.accept_one();  // it does hang now, inside libvirt

  const Answer late;
  hosts.start(order("a-hangs", 1, 101), late.done());
  EXPECT_TRUE(start(others, order("h1", 1, 101)));
  const auto result = late.wait();
  const auto asked = hosts.domains("a-hangs", std::chrono::steady_clock::now() + milliseconds(50));

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kTimeout);
  EXPECT_NE(result.error().message.find("start of vm vm-1 on host a-hangs"), std::string::npos)
      << result.error().message;
  EXPECT_EQ(asked.error().code, ErrorCode::kTimeout);
  close(connection);
}

TEST(HangingHost, IsGivenUpAndTriedAgainAFewTimes) {
  DeadPort port(true);
  Recorder recorder;
  HypervisorOptions options = quick();
  options.connect_deadline = milliseconds(50);
  LibvirtHosts hosts(event_loop(), {{"hangs", port.uri()}}, options, recorder.reports());

  std::vector<int> connections;
  for (int i = 0; i < Host::kMostHung + 1; ++i) connections.push_back(port.accept_one());
  EXPECT_TRUE(eventually([&] { return status_of(hosts, "hangs").hung_calls > Host::kMostHung; }));
  const auto news = recorder.wait("hangs", [](const auto& all) { return !all.disconnected.empty(); });
  EXPECT_NE(news.disconnected[0].find("does not answer (no connection within 0.05 s)"), std::string::npos)
      << news.disconnected[0];

  // The calls that hang come back, too late for anybody, and a worker tries again.
  port.close_listener();
  for (const int connection : connections) close(connection);
  recorder.wait("hangs", [](const auto& all) { return all.disconnected.back().find("refused") != std::string::npos; });
  EXPECT_TRUE(eventually([&] { return status_of(hosts, "hangs").hung_calls == 0; }));
}

TEST(HangingHost, DoesNotHoldUpTheEnd) {
  const DeadPort port(true);
  Answer answer;
  {
    LibvirtHosts hosts(event_loop(), {{"hangs", port.uri()}}, quick(), {});
    hosts.start(order("hangs", 1, 101), answer.done());
    close(port.accept_one());
  }
  EXPECT_FALSE(answer.wait());
}

}  // namespace
}  // namespace emplace
