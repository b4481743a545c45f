#include "service/hypervisor/move.h"

#include "tests/libvirt/harness.h"

namespace emplace {
namespace {

using namespace testing_libvirt;

TEST(MoveOptions, ReadsWhatTheRequestGives) {
  const auto read = read_move_options({{"mode", "direct"},
                                       {"copy_storage", "true"},
                                       {"unsafe", "false"},
                                       {"post_copy", "true"},
                                       {"auto_converge", "true"},
                                       {"bandwidth_mib_s", "64"},
                                       {"max_downtime_ms", "300"},
                                       {"timeout_s", "120"},
                                       {"destination_uri", "tcp://10.0.0.2"}});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->direct && read->copy_storage && read->post_copy && read->auto_converge);
  EXPECT_FALSE(read->unsafe);
  EXPECT_EQ(read->bandwidth_mib_s, 64u);
  EXPECT_EQ(read->max_downtime_ms, 300u);
  EXPECT_EQ(read->timeout, std::chrono::seconds(120));
  EXPECT_EQ(read->destination_uri, "tcp://10.0.0.2");
  EXPECT_FALSE(read_move_options({})->direct);
}

TEST(MoveOptions, NamesTheFieldThatDoesNotRead) {
  const std::vector<Parameters> bad = {{{"mode", "tunnel"}},        {{"unsafe", "yes"}},  {{"timeout_s", "-1"}},
                                       {{"timeout_s", "1e3"}},      {{"timeout_s", "0"}}, {{"bandwidth_mib_s", ""}},
                                       {{"max_downtime_ms", "5 "}}, {{"bandwith", "64"}}};
  for (const Parameters& one : bad) {
    const auto read = read_move_options(one);
    ASSERT_FALSE(read) << one.begin()->first;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(read.error().message.find("options." + one.begin()->first + ":"), 0u) << read.error().message;
  }
}

TEST(PeerUri, IsTheHostsOwnOnlyWhereOthersCanReachIt) {
  HostConfig host{"b", "qemu+tls://b/system"};
  EXPECT_EQ(peer_uri({}, host), "qemu+tls://b/system");
  for (const char* const local : {"qemu+unix:///system?socket=/x", "qemu:///system", "test:///f"}) {
    host.uri = local;
    EXPECT_FALSE(peer_uri({}, host)) << local;
  }
  host.peer_uri = "qemu+tcp://b/system";
  EXPECT_EQ(peer_uri({}, host), "qemu+tcp://b/system");
  MoveOptions ordered;
  ordered.destination_uri = "qemu+tcp://c/system";
  EXPECT_EQ(peer_uri(ordered, host), "qemu+tcp://c/system");
}

TEST(Move, SaysWhatTheDriverRefusesAndWhereTheVmIs) {
  TempDir dir;
  Recorder recorder;
  // test:///default is one object per process, so a move's own connections see the domain; FILE states are private.
  LibvirtHosts hosts(event_loop(), {{"d", "test:///default"}, test_host(dir, "h2")}, quick(), recorder.reports());
  ASSERT_TRUE(start(hosts, order("d", 1, 101)));
  const Answer moved;
  hosts.move(
      {uuid(1), "vm-1", "d", "h2", {{"mode", "direct"}}}, [](const MoveProgress&) {}, moved.done());

  const auto result = moved.wait();

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message.find("move of vm vm-1 from host d to host h2: "), 0u) << result.error().message;
  EXPECT_NE(result.error().message.find("it still runs on host d"), std::string::npos) << result.error().message;
  EXPECT_TRUE(destroy(hosts, "d", uuid(1)));
}

TEST(Move, RefusesWhatCannotBeAMove) {
  TempDir dir;
  Recorder recorder;
  LibvirtHosts hosts(event_loop(), {test_host(dir, "h1"), test_host(dir, "h2")}, quick(), recorder.reports());
  const auto code = [&](MoveOrder order) {
    const Answer moved;
    hosts.move(
        std::move(order), [](const MoveProgress&) {}, moved.done());
    const auto result = moved.wait();
    return result ? ErrorCode::kInternal : result.error().code;
  };
  EXPECT_EQ(code({uuid(1), "vm-1", "h1", "h1"}), ErrorCode::kInvalid);
  EXPECT_EQ(code({uuid(1), "vm-1", "h1", "h9"}), ErrorCode::kNotFound);
  EXPECT_EQ(code({uuid(1), "vm-1", "h1", "h2", {{"mode", "fly"}}}), ErrorCode::kInvalid);
  EXPECT_EQ(code({uuid(1), "vm-1", "h1", "h2"}), ErrorCode::kNotFound) << "no such domain";
}

}  // namespace
}  // namespace emplace
