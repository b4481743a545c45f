// The door on hosts of libvirt's test driver: real libvirt calls, no daemon, no guests.
#include "service/hypervisor/hosts.h"

#include <fmt/format.h>

#include "service/hypervisor/domains.h"
#include "service/hypervisor/session.h"
#include "tests/libvirt/harness.h"

namespace emplace {
namespace {

using namespace testing_libvirt;

constexpr const char* kNovaMetadata =
    "<nova:instance "
    "xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'><nova:name>web</nova:name></nova:instance>";

struct Door {
  TempDir dir;
  Recorder recorder;
};

TEST(LibvirtHosts, ReportsInventoryAsConfiguredAndFound) {
  Door door;
  HostConfig config = test_host(door.dir, "h1", {8, 16384, 2});
  config.zone = "z1";
  config.rack = "r2";
  config.cpu_allocation_ratio = 4;
  config.reserved_memory_mib = 1024;
  LibvirtHosts hosts(event_loop(), {config}, quick(), door.recorder.reports());

  const auto news = door.recorder.wait_connected("h1");

  ASSERT_EQ(news.inventory.size(), 1u);
  const HostRow& row = news.inventory[0];
  EXPECT_EQ(row.source, "libvirt");
  EXPECT_EQ(row.zone, "z1");
  EXPECT_EQ(row.rack, "r2");
  EXPECT_EQ(row.vcpus, 8);
  EXPECT_EQ(row.memory_mib, 16384);
  EXPECT_EQ(row.disk_gib, 200);
  EXPECT_EQ(row.cpu_allocation_ratio, 4);
  EXPECT_EQ(row.memory_reserved_mib, 1024);
  EXPECT_TRUE(row.cells.empty());
  EXPECT_FALSE(row.cpu_util) << "the test driver's statistics are invented";
  EXPECT_EQ(news.connected, std::vector<bool>{true}) << "test:/// state is new with each connection";
}

TEST(LibvirtHosts, LeavesOutCellsThatDoNotSumUp) {
  Door door;
  LibvirtHosts hosts(event_loop(), {{"d", "test:///default"}}, quick(), door.recorder.reports());
  EXPECT_TRUE(door.recorder.wait_connected("d").inventory[0].cells.empty());
}

TEST(LibvirtHosts, TakesTheConfiguredDiskInPlaceOfPools) {
  Door door;
  HostConfig config = test_host(door.dir, "h1");
  config.disk_gib = 7;
  LibvirtHosts hosts(event_loop(), {config}, quick(), door.recorder.reports());
  EXPECT_EQ(door.recorder.wait_connected("h1").inventory[0].disk_gib, 7);
}

TEST(LibvirtHosts, StartsAVmWithItsClaimInTheMetadata) {
  Door door;
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, quick(), door.recorder.reports());

  const auto started = start(hosts, order("h1", 1, 101));

  ASSERT_TRUE(started) << started.error().message;
  const auto seen = domains(hosts, "h1");
  ASSERT_TRUE(seen) << seen.error().message;
  ASSERT_EQ(seen->size(), 1u);
  EXPECT_EQ((*seen)[0].id, uuid(1));
  EXPECT_EQ((*seen)[0].name, "vm-1");
  EXPECT_EQ((*seen)[0].state, VmState::kRunning);
  EXPECT_EQ((*seen)[0].vcpus, 1);
  EXPECT_EQ((*seen)[0].memory_mib, 256);
  EXPECT_EQ((*seen)[0].claim, uuid(101));
  EXPECT_FALSE((*seen)[0].nova);
}

TEST(LibvirtHosts, StartsWithEveryParameterOfTheDefaultTemplate) {
  Door door;
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, quick(), door.recorder.reports());
  StartOrder all = order("h1", 1, 101);
  all.vm.parameters = {
      {"kernel", "/k"},         {"initramfs", "/i"},          {"cmdline", "a=<b> & 'c'"}, {"disk", "/d.qcow2"},
      {"disk_format", "qcow2"}, {"disk_cache", "writeback"},  {"disk_target", "vdb"},     {"disk_bus", "virtio"},
      {"cdrom", "/seed.iso"},   {"cdrom_bus", "sata"},        {"bridge", "br0"},          {"network", "default"},
      {"nic_model", "e1000"},   {"mac", "52:54:00:11:22:33"}, {"console", "/c.log"},      {"emulator", "/e"}};
  const auto started = start(hosts, all);
  EXPECT_TRUE(started) << started.error().message;
}

TEST(LibvirtHosts, SucceedsWhenItRunsAlready) {
  Door door;
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, quick(), door.recorder.reports());
  ASSERT_TRUE(start(hosts, order("h1", 1, 101)));
  EXPECT_TRUE(start(hosts, order("h1", 1, 101)));
  EXPECT_EQ(domains(hosts, "h1")->size(), 1u);
}

TEST(LibvirtHosts, CreatesWhatIsDefinedButStopped) {
  Door door;
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, quick(), door.recorder.reports());
  ASSERT_TRUE(start(hosts, order("h1", 1, 101)));
  const Answer stopped;
  hosts.shut_down("h1", uuid(1), stopped.done());
  ASSERT_TRUE(stopped.wait());
  ASSERT_EQ(domains(hosts, "h1")->at(0).state, VmState::kStopped);

  ASSERT_TRUE(start(hosts, order("h1", 1, 101)));

  EXPECT_EQ(domains(hosts, "h1")->at(0).state, VmState::kRunning);
}

TEST(LibvirtHosts, RefusesAnotherClaimOnTheSameVm) {
  Door door;
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, quick(), door.recorder.reports());
  ASSERT_TRUE(start(hosts, order("h1", 1, 101)));

  const auto again = start(hosts, order("h1", 1, 102));

  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kConflict);
  EXPECT_NE(again.error().message.find(to_string(uuid(101))), std::string::npos) << again.error().message;
}

TEST(LibvirtHosts, RefusesATakenName) {
  Door door;
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, quick(), door.recorder.reports());
  ASSERT_TRUE(start(hosts, order("h1", 1, 101)));
  StartOrder same_name = order("h1", 2, 102);
  same_name.claim.vm_name = "vm-1";

  const auto started = start(hosts, same_name);

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kConflict);
  EXPECT_NE(started.error().message.find("vm-1"), std::string::npos);
}

TEST(LibvirtHosts, NeverTouchesADomainOfNova) {
  Door door;
  const TestHost with_nova{8, 8192, 0, foreign_domain("instance-1", uuid(1), kNovaMetadata)};
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1", with_nova), test_host(door.dir, "h2")}, quick(),
                     door.recorder.reports());
  const Answer stopped, moved;
  hosts.shut_down("h1", uuid(1), stopped.done());
  hosts.move(
      {uuid(1), "instance-1", "h1", "h2", {{"mode", "direct"}}}, [](const MoveProgress&) {}, moved.done());

  for (const auto& result :
       {start(hosts, order("h1", 1, 101)), destroy(hosts, "h1", uuid(1)), stopped.wait(), moved.wait()}) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().detail_code, "emplace.hypervisor.nova") << result.error().message;
    EXPECT_NE(result.error().message.find("instance-1"), std::string::npos);
  }
  const auto seen = domains(hosts, "h1");
  ASSERT_EQ(seen->size(), 1u);
  EXPECT_TRUE((*seen)[0].nova);
  EXPECT_EQ((*seen)[0].state, VmState::kRunning);
}

TEST(LibvirtHosts, DestroysAndUndefines) {
  Door door;
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, quick(), door.recorder.reports());
  ASSERT_TRUE(start(hosts, order("h1", 1, 101)));
  EXPECT_TRUE(destroy(hosts, "h1", uuid(1)));
  EXPECT_TRUE(domains(hosts, "h1")->empty());
  EXPECT_TRUE(destroy(hosts, "h1", uuid(1))) << "absent is done";
}

TEST(LibvirtHosts, SaysThatThereIsNothingToShutDown) {
  Door door;
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, quick(), door.recorder.reports());
  const Answer stopped;
  hosts.shut_down("h1", uuid(1), stopped.done());
  EXPECT_EQ(stopped.wait().error().code, ErrorCode::kNotFound);
}

TEST(LibvirtHosts, ReportsLifecycleEvents) {
  Door door;
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, quick(), door.recorder.reports());
  door.recorder.wait_connected("h1");

  ASSERT_TRUE(start(hosts, order("h1", 1, 101)));
  const auto after_start = door.recorder.wait(
      "h1", [](const auto& news) { return !news.events.empty() && news.events.back().what == "started"; });
  ASSERT_TRUE(destroy(hosts, "h1", uuid(1)));
  const auto after_end = door.recorder.wait("h1", [](const auto& news) { return !news.events.back().seen; });

  EXPECT_EQ(after_start.events.back().id, uuid(1));
  EXPECT_EQ(after_start.events.back().seen->claim, uuid(101));
  EXPECT_EQ(after_end.events.back().id, uuid(1));
}

TEST(LibvirtHosts, ReportsWhatOthersDo) {
  Door door;
  LibvirtHosts hosts(event_loop(), {{"d", "test:///default"}}, quick(), door.recorder.reports());
  door.recorder.wait_connected("d");
  const Connection other(virConnectOpen("test:///default"));
  const Domain domain(virDomainLookupByName(other.get(), "test"));
  ASSERT_NE(domain, nullptr);

  ASSERT_EQ(virDomainDestroy(domain.get()), 0);

  const auto news = door.recorder.wait("d", [](const auto& all) { return !all.events.empty(); });
  EXPECT_EQ(news.events[0].seen->name, "test");
  EXPECT_EQ(news.events[0].seen->state, VmState::kStopped);
}

TEST(LibvirtHosts, PollsAgainAndAgain) {
  Door door;
  HypervisorOptions options = quick();
  options.poll = std::chrono::milliseconds(1);
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, options, door.recorder.reports());
  door.recorder.wait("h1", [](const auto& news) { return news.inventory.size() >= 3 && news.domains.size() >= 3; });
}

TEST(LibvirtHosts, KeepsManyHostsApart) {
  Door door;
  std::vector<HostConfig> configs;
  for (int i = 1; i <= 8; ++i) configs.push_back(test_host(door.dir, fmt::format("h{}", i)));
  LibvirtHosts hosts(event_loop(), configs, quick(), door.recorder.reports());

  std::vector<Answer> answers(64);
  for (int i = 0; i < 64; ++i)
    hosts.start(order(fmt::format("h{}", i % 8 + 1), i + 1, i + 101), answers[static_cast<std::size_t>(i)].done());
  for (const Answer& answer : answers) {
    const auto result = answer.wait();
    ASSERT_TRUE(result) << result.error().message;
  }

  for (int i = 0; i < 8; ++i) {
    const auto seen = domains(hosts, fmt::format("h{}", i + 1));
    ASSERT_EQ(seen->size(), 8u);
    for (const DomainSeen& one : *seen) EXPECT_EQ(std::stoi(one.name.substr(3)) % 8, (i + 1) % 8);
  }
  for (const HostStatus& state : hosts.states()) {
    EXPECT_TRUE(state.connected);
    EXPECT_EQ(state.hypervisor.substr(0, 4), "TEST") << state.hypervisor;
    EXPECT_EQ(state.last_error, "");
  }
}

TEST(LibvirtHosts, AnswersForHostsItDoesNotDrive) {
  LibvirtHosts hosts(event_loop(), {}, quick(), {});
  EXPECT_FALSE(hosts.drives("h9"));
  EXPECT_EQ(start(hosts, order("h9", 1, 101)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(domains(hosts, "h9").error().code, ErrorCode::kNotFound);
}

TEST(LibvirtHosts, TakesTheOperatorsTemplate) {
  Door door;
  HypervisorOptions options = quick();
  const std::string text =
      "<domain "
      "type='${domain_type}'><name>${name}</name><uuid>${uuid}</uuid><title>${parameter.title}</title><metadata>"
      "<e:vm xmlns:e='https://emplace.dev/xmlns/1' claim='${claim}'/></metadata>"
      "<memory unit='MiB'>${memory_mib}</memory><vcpu>${vcpus}</vcpu><os><type>hvm</type></os></domain>";
  options.templates.emplace("small", *DomainTemplate::load(door.dir.write("small.xml", text)));
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, options, door.recorder.reports());
  StartOrder small = order("h1", 1, 101);
  small.vm.domain_template = "small";

  EXPECT_NE(start(hosts, small).error().message.find("${parameter.title} has no value"), std::string::npos);
  small.vm.parameters = {{"title", "<&>"}, {"kernel", "/k"}};
  EXPECT_NE(start(hosts, small).error().message.find("it has: title"), std::string::npos);
  small.vm.parameters.erase("kernel");
  EXPECT_TRUE(start(hosts, small));
  small.vm.domain_template = "smal";
  EXPECT_NE(start(hosts, small).error().message.find("there are: small"), std::string::npos);
}

TEST(LibvirtHosts, RefusesATemplateThatGivesAnotherIdentity) {
  Door door;
  const std::string tail = "<memory>${memory_mib}</memory><!-- ${claim} ${uuid} --><os><type>hvm</type></os></domain>";
  HypervisorOptions options = quick();
  const auto add = [&](const char* name, const std::string& head) {
    options.templates.emplace(name, *DomainTemplate::parse(head + tail, name));
  };
  add("uuid", "<domain type='test'><name>${name}</name><uuid>00000000-0000-4000-8000-000000000001</uuid>");
  add("claim", "<domain type='test'><name>${name}</name><uuid>${uuid}</uuid>");
  add("broken", "<domain type='test'><name>${name}</nam>");
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, options, door.recorder.reports());
  ASSERT_TRUE(start(hosts, order("h1", 1, 101)));

  for (const auto& [name, wanted] :
       {std::pair{"uuid", "<uuid>"}, {"claim", "claim in <metadata>"}, {"broken", "broken XML"}}) {
    StartOrder wrong = order("h1", 2, 102);
    wrong.vm.domain_template = name;
    const auto started = start(hosts, wrong);
    ASSERT_FALSE(started) << name;
    EXPECT_EQ(started.error().code, ErrorCode::kInvalid);
    EXPECT_NE(started.error().message.find(wanted), std::string::npos) << started.error().message;
  }
  EXPECT_EQ(domains(hosts, "h1")->size(), 1u);
}

TEST(LibvirtHosts, SaysBeforeAStartWhatItWouldRefuse) {
  Door door;
  const LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, quick(), door.recorder.reports());
  const auto refusal = [&](const std::function<void(StartOrder&)>& spoil) {
    StartOrder wanted = order("h1", 1, 1);
    spoil(wanted);
    const auto checked = hosts.check(wanted);
    return checked ? std::string("none") : checked.error().message.substr(0, checked.error().message.find(':'));
  };
  EXPECT_EQ(refusal([](StartOrder&) {}), "none");
  EXPECT_EQ(refusal([](StartOrder& wanted) { wanted.claim.vm_name = "a/b"; }), "vm.name");
  EXPECT_EQ(refusal([](StartOrder& wanted) { wanted.claim.vm_name = ""; }), "vm.name");
  EXPECT_EQ(refusal([](StartOrder& wanted) { wanted.vm.memory_mib = 0; }), "vm.memory_mib");
  EXPECT_EQ(refusal([](StartOrder& wanted) { wanted.vm.vcpus = 0; }), "vm.vcpus");
  EXPECT_EQ(refusal([](StartOrder& wanted) { wanted.vm.domain_template = "gone"; }), "vm.template");
  EXPECT_EQ(refusal([](StartOrder& wanted) { wanted.vm.parameters["nic"] = "x"; }), "vm.parameters.nic");
}

TEST(LibvirtHosts, SaysBeforeAMoveWhatItWouldRefuse) {
  Door door;
  const LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1"), test_host(door.dir, "h2")}, quick(),
                           door.recorder.reports());
  const auto code = [&](Parameters options, std::string to = "") {
    MoveOrder wanted{{}, "", "h1", std::move(to), std::move(options)};
    const auto checked = hosts.check(wanted);
    return checked ? std::string("none") : checked.error().message.substr(0, checked.error().message.find(':'));
  };
  EXPECT_EQ(code({{"timeout_s", "5"}}), "none");
  EXPECT_EQ(code({{"timeout_s", "soon"}}), "options.timeout_s");
  EXPECT_EQ(code({{"speed", "1"}}), "options.speed");
  EXPECT_NE(code({}, "h2"), "none") << "h2 has no URI for others";
}

TEST(LibvirtHosts, ReportsHowFarADomainMayGrow) {
  Door door;
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, quick(), door.recorder.reports());
  ASSERT_TRUE(start(hosts, order("h1", 1, 1)));
  const auto all = domains(hosts, "h1");
  ASSERT_TRUE(all && all->size() == 1u);
  EXPECT_EQ((*all)[0].vcpus_max, 1);
  EXPECT_EQ((*all)[0].memory_max_mib, 256);
  EXPECT_EQ((*all)[0].memory_mib, 256);
}

TEST(LibvirtHosts, CarriesLibvirtsCodeAndMessage) {
  Door door;
  LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, quick(), door.recorder.reports());
  StartOrder wrong = order("h1", 1, 101);
  wrong.vm.parameters = {{"bridge", "br0"}, {"mac", "not a mac"}};

  const auto started = start(hosts, wrong);

  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(started.error().detail_code, "libvirt.27") << started.error().message;
  EXPECT_NE(started.error().message.find("not a mac"), std::string::npos);
  EXPECT_EQ(started.error().message.find('\n'), std::string::npos);
  EXPECT_TRUE(domains(hosts, "h1")->empty());
}

TEST(StartDomain, TakesNoFurtherStepOnceItsCallerWasAnswered) {
  TempDir dir;
  event_loop();
  const auto session = open_session(test_host(dir, "h1"), quick());
  ASSERT_TRUE(session) << session.error().message;
  const auto default_template = DomainTemplate::parse(default_domain_template(), "default");
  for (int steps = 0; steps < 3; ++steps) {
    int asked = 0;
    const auto started =
        start_domain(*session, order("h1", 1, 101), *default_template, [&] { return asked++ >= steps; });
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, ErrorCode::kTimeout);
    std::vector<DiskSeen> disks;
    const auto left = list_domains(*session, disks);
    for (const DomainSeen& seen : *left) EXPECT_EQ(seen.state, VmState::kStopped);
  }
  EXPECT_TRUE(start_domain(*session, order("h1", 1, 101), *default_template, [] { return false; }))
      << "a later try finishes";
}

TEST(LibvirtHosts, AnswersWhatIsPendingWhenItEnds) {
  Door door;
  std::vector<Answer> answers(200);
  {
    LibvirtHosts hosts(event_loop(), {test_host(door.dir, "h1")}, quick(), door.recorder.reports());
    for (int i = 0; i < 200; ++i)
      hosts.start(order("h1", i + 1, i + 1001), answers[static_cast<std::size_t>(i)].done());
  }
  for (const Answer& answer : answers) {
    const auto result = answer.wait();
    if (!result) {
      EXPECT_EQ(result.error().code, ErrorCode::kUnavailable) << result.error().message;
    }
  }
}

}  // namespace
}  // namespace emplace
