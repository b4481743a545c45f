// The door on two real QEMU hosts: a guest is booted, moved live both ways, checked to be alive, and destroyed. Skipped
// unless
//
//   EMPLACE_REAL_HOSTS="URI_A PEER_A URI_B PEER_B"   libvirt URIs from here, and as the hosts reach each other
//   EMPLACE_REAL_GUEST="KERNEL INITRAMFS EMULATOR DIRECTORY"   the guest prints GUEST-UP on its console and, for
//   dirty=MB,MB/s,seq
//                                                   on its command line, a line with DIRTIER every few seconds while it
//                                                   lives; both hosts and this process see the directory (console,
//                                                   disk)
//   EMPLACE_REAL_DISKS="DIR_A DIR_B INSIDE"          optional: what the hosts each see as INSIDE, for a move that
//   copies the disk EMPLACE_REAL_DAEMON_A=PID                        optional: host A's libvirtd, which is stopped and
//   continued
//
// QEMU's software emulation may leave a guest hung after a migration that libvirt calls a success: only the console
// tells.
#include <fmt/format.h>
#include <signal.h>

#include <cstdlib>
#include <sstream>
#include <thread>

#include "service/hypervisor/libvirt.h"
#include "tests/libvirt/harness.h"

namespace emplace {
namespace {

using namespace testing_libvirt;

std::vector<std::string> words_of(const char* variable) {
  const char* const text = std::getenv(variable);
  std::istringstream in(text == nullptr ? "" : text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

class RealHosts : public ::testing::Test {
 protected:
  void SetUp() override {
    if (uris_.size() != 4 || guest_.size() != 4) {
      GTEST_SKIP() << "needs EMPLACE_REAL_HOSTS=\"URI_A PEER_A URI_B PEER_B\" and "
                      "EMPLACE_REAL_GUEST=\"KERNEL INITRAMFS EMULATOR DIRECTORY\"";
    }
    options_.poll = std::chrono::seconds(2);
    hosts_ = std::make_unique<LibvirtHosts>(event_loop(), configs(), options_, recorder_.reports());
  }
  void TearDown() override {
    if (hosts_ == nullptr) return;
    hosts_ = std::make_unique<LibvirtHosts>(event_loop(), configs(), HypervisorOptions(), Reports());
    for (const char* const host : {"a", "b"}) {
      const auto gone = destroy(*hosts_, host, vm_);
      EXPECT_TRUE(gone) << gone.error().message;
    }
    std::filesystem::remove(console());
    std::filesystem::remove(disk());
  }

  std::vector<HostConfig> configs() const {
    HostConfig a{"a", uris_[0]}, b{"b", uris_[2]};
    a.peer_uri = uris_[1];
    b.peer_uri = uris_[3];
    return {a, b};
  }
  std::string console() const { return guest_[3] + "/emplace-test.console"; }
  std::string disk() const { return guest_[3] + "/emplace-test.img"; }

  StartOrder guest(const std::string& dirty) const {
    StartOrder order;
    order.claim.id = uuid(901);
    order.claim.vm = order.vm.id = vm_;
    order.claim.vm_name = order.vm.name = "emplace-test";
    order.claim.host = "a";
    order.vm.vcpus = 1;
    order.vm.memory_mib = 128;
    order.vm.parameters = {{"kernel", guest_[0]},
                           {"initramfs", guest_[1]},
                           {"emulator", guest_[2]},
                           {"console", console()},
                           {"cmdline", "console=ttyS0 quiet dirty=" + dirty}};
    return order;
  }

  std::string console_text() const {
    std::ifstream file(console(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  std::size_t console_lines(const std::string& word) const {
    const std::string text = console_text();
    std::size_t lines = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++lines;
    return lines;
  }
  // A file gives nothing to wait on.
  ::testing::AssertionResult console_reaches(const std::string& word, std::size_t lines) const {
    const Deadline limit = soon();
    while (console_lines(word) < lines) {
      if (std::chrono::steady_clock::now() > limit) {
        return ::testing::AssertionFailure() << "no " << lines << " lines with " << word << " in:\n" << console_text();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return ::testing::AssertionSuccess();
  }
  // The guest wrote twice since now: the first line may have been under way.
  ::testing::AssertionResult alive() const { return console_reaches("DIRTIER t=", console_lines("DIRTIER t=") + 2); }

  ::testing::AssertionResult boots(const StartOrder& order) {
    const auto started = start(*hosts_, order);
    if (!started) return ::testing::AssertionFailure() << started.error().message;
    const auto up = console_reaches("GUEST-UP", 1);
    return up ? console_reaches("DIRTIER ready", 1) : up;
  }

  Result<void> move(const std::string& from, const std::string& to, Parameters options) {
    const Answer moved;
    progress_.clear();
    hosts_->move(
        {vm_, "emplace-test", from, to, std::move(options)},
        [this](const MoveProgress& now) { progress_.push_back(now); }, moved.done());
    return moved.wait();
  }

  bool only_on(const std::string& host, const std::string& other) {
    const auto here = domains(*hosts_, host), there = domains(*hosts_, other);
    return here && there && here->size() == 1 && there->empty() && here->at(0).id == vm_ &&
           here->at(0).state == VmState::kRunning && here->at(0).claim == uuid(901);
  }

  const std::vector<std::string> uris_ = words_of("EMPLACE_REAL_HOSTS"), guest_ = words_of("EMPLACE_REAL_GUEST");
  const Uuid vm_ = *parse_uuid("e0e0e0e0-0000-4000-8000-000000000001");
  HypervisorOptions options_;
  Recorder recorder_;
  std::vector<MoveProgress> progress_;  // written on the move's thread, before its answer
  std::unique_ptr<LibvirtHosts> hosts_;
};

TEST_F(RealHosts, TellWhatTheyHave) {
  const HostRow row = recorder_.wait_connected("a").inventory[0];
  EXPECT_GT(row.vcpus, 0);
  EXPECT_GT(row.memory_mib, 1024);
  ASSERT_TRUE(row.memory_used_observed_mib);
  EXPECT_LT(*row.memory_used_observed_mib, row.memory_mib);
  const auto later = recorder_.wait("a", [](const auto& news) { return news.inventory.size() > 1; });
  EXPECT_TRUE(later.inventory[1].cpu_util);
  EXPECT_EQ(later.connected, std::vector<bool>{false});
}

TEST_F(RealHosts, BootAGuestAndMoveItLiveBothWays) {
  StartOrder order = guest("16,4,seq");
  std::ofstream(disk()).close();
  std::filesystem::resize_file(disk(), 16 << 20);
  order.vm.parameters["disk"] = disk();
  ASSERT_TRUE(boots(order));
  EXPECT_TRUE(start(*hosts_, order)) << "it runs already";

  const auto direct = move("a", "b", {{"mode", "direct"}, {"unsafe", "true"}});
  ASSERT_TRUE(direct) << direct.error().message;
  EXPECT_TRUE(only_on("b", "a"));
  EXPECT_TRUE(alive());
  ASSERT_FALSE(progress_.empty());
  EXPECT_EQ(progress_.back().fraction, 1);
  EXPECT_TRUE(move("a", "b", {})) << "it is there already";

  const auto peer =
      move("b", "a", {{"mode", "p2p"}, {"unsafe", "true"}, {"bandwidth_mib_s", "64"}, {"max_downtime_ms", "500"}});
  ASSERT_TRUE(peer) << peer.error().message;
  EXPECT_TRUE(only_on("a", "b"));
  EXPECT_TRUE(alive());
  EXPECT_GT(progress_.back().downtime_ms, 0);

  EXPECT_TRUE(destroy(*hosts_, "a", vm_));
  EXPECT_TRUE(domains(*hosts_, "a")->empty());
}

TEST_F(RealHosts, AbortAMoveWhoseTimeIsUp) {
  ASSERT_TRUE(boots(guest("48,32,rand")));

  const auto moved = move("a", "b", {{"bandwidth_mib_s", "4"}, {"timeout_s", "3"}});

  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, ErrorCode::kTimeout);
  EXPECT_NE(moved.error().message.find("not finished within 3 s, aborted; it still runs on host a"), std::string::npos)
      << moved.error().message;
  EXPECT_TRUE(only_on("a", "b"));
  EXPECT_TRUE(alive());
  ASSERT_FALSE(progress_.empty());
  EXPECT_GT(progress_.back().remaining_mib, 0);
}

TEST_F(RealHosts, FinishByPostCopyWhatDoesNotConverge) {
  ASSERT_TRUE(boots(guest("48,64,rand")));
  const auto moved = move("a", "b", {{"post_copy", "true"}, {"bandwidth_mib_s", "32"}, {"timeout_s", "60"}});
  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_TRUE(only_on("b", "a"));
  EXPECT_TRUE(alive());
}

TEST_F(RealHosts, CopyADiskThatIsNotShared) {
  const auto disks = words_of("EMPLACE_REAL_DISKS");
  if (disks.size() != 3) GTEST_SKIP() << "needs EMPLACE_REAL_DISKS=\"DIR_A DIR_B INSIDE\"";
  const auto file = [&](int host) { return disks[static_cast<std::size_t>(host)] + "/emplace-test.img"; };
  std::ofstream(file(0)) << std::string(1 << 20, 'x');
  std::ofstream(file(1)).close();
  for (const int host : {0, 1}) std::filesystem::resize_file(file(host), 16 << 20);
  StartOrder order = guest("16,4,seq");
  order.vm.parameters["disk"] = disks[2] + "/emplace-test.img";
  ASSERT_TRUE(boots(order));

  const auto moved = move("a", "b", {{"copy_storage", "true"}});

  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_TRUE(only_on("b", "a"));
  EXPECT_TRUE(alive());
  std::ifstream copied(file(1));
  EXPECT_EQ(copied.get(), 'x');
  for (const int host : {0, 1}) std::filesystem::remove(file(host));
}

TEST_F(RealHosts, BindAGuestToItsCells) {
  const Connection connection(virConnectOpen(uris_[0].c_str()));
  StartOrder order = guest("16,4,seq");
  order.claim.cells = {0};
  ASSERT_TRUE(boots(order));
  const Domain domain = domain_of(connection.get(), vm_);
  const LibvirtText xml(virDomainGetXMLDesc(domain.get(), 0));
  EXPECT_NE(std::string(xml.get()).find("<memory mode='strict' nodeset='0'/>"), std::string::npos) << xml.get();
  EXPECT_NE(std::string(xml.get()).find("<vcpu placement='static' cpuset='"), std::string::npos) << xml.get();
  StartOrder absent = order;
  absent.claim.vm = uuid(77);
  absent.claim.vm_name = "emplace-absent";
  absent.claim.cells = {63};
  EXPECT_EQ(start(*hosts_, absent).error().code, ErrorCode::kConflict);
}

TEST_F(RealHosts, SurviveADaemonThatStopsAnswering) {
  const auto daemon = words_of("EMPLACE_REAL_DAEMON_A");
  if (daemon.size() != 1) GTEST_SKIP() << "needs EMPLACE_REAL_DAEMON_A=PID";
  const pid_t pid = std::stoi(daemon[0]);
  hosts_.reset();
  options_.act_deadline = std::chrono::seconds(1);
  options_.connect_deadline = std::chrono::seconds(1);
  hosts_ = std::make_unique<LibvirtHosts>(event_loop(), configs(), options_, recorder_.reports());
  recorder_.wait("a", [](const auto& news) { return news.domains.size() > 1; });
  const std::size_t connections = recorder_.wait_connected("a").connected.size();

  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  const auto asked = start(*hosts_, guest("16,4,seq"));
  const auto other = domains(*hosts_, "b");
  recorder_.wait("a", [](const auto& news) { return !news.disconnected.empty(); });
  ASSERT_EQ(kill(pid, SIGCONT), 0);
  recorder_.wait("a", [&](const auto& news) { return news.connected.size() > connections; });

  ASSERT_FALSE(asked);
  EXPECT_TRUE(asked.error().code == ErrorCode::kTimeout || asked.error().code == ErrorCode::kUnavailable)
      << asked.error().message;
  EXPECT_TRUE(other) << other.error().message;
  // What the late call did, if anything, is no harm: the same order succeeds, and once.
  Result<void> again = start(*hosts_, guest("16,4,seq"));
  for (int i = 0; i < 20 && !again; ++i) again = start(*hosts_, guest("16,4,seq"));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(console_reaches("GUEST-UP", 1));
  EXPECT_EQ(domains(*hosts_, "a")->size(), 1u);
}

}  // namespace
}  // namespace emplace
