#include "service/openstack/sync.h"

#include <gtest/gtest.h>

#include <mutex>

#include "tests/openstack/fake_cloud.h"

namespace emplace::openstack {
namespace {

// What the sync hands over, kept.
class Taker {
 public:
  Result<void> take(const CloudReport& report) {
    const std::lock_guard lock(mutex_);
    last_ = report;
    if (report.deleted_vms.size() > 0) deleted_ = report.deleted_vms;
    return refuse_ ? fail(ErrorCode::kConflict, "brake: too many") : Result<void>();
  }
  void refuse(bool refuse) { refuse_ = refuse; }
  CloudReport last() const {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  std::size_t hosts() const { return last().hosts ? last().hosts->size() : 0; }
  std::size_t vms() const { return last().vms ? last().vms->size() : 0; }
  std::size_t deleted() const {
    const std::lock_guard lock(mutex_);
    return deleted_.size();
  }

 private:
  mutable std::mutex mutex_;
  CloudReport last_;
  std::set<Uuid> deleted_;
  std::atomic<bool> refuse_{false};
};

class SyncTest : public ::testing::Test {
 protected:
  void start(int hosts, int servers) {
    cloud = std::make_unique<FakeCloud>(hosts, servers);
    resume();
  }
  void resume() {
    keystone = std::make_unique<Keystone>(cloud->web(), cloud->options(), wall_us, [](auto, auto) {});
    nova = std::make_unique<NovaReader>(*keystone, 4);
    placement = std::make_unique<PlacementReader>(*keystone);
    SyncOptions options;
    options.interval = interval;
    options.backoff = {std::chrono::milliseconds(20), std::chrono::milliseconds(50)};
    options.full_interval = full_interval;
    options.together = std::chrono::milliseconds(20);
    sync = std::make_unique<Sync>(Sync::Sources{*nova, *placement, database.get()}, options,
                                  Sync::Doors{[this](const CloudReport& report) { return taker.take(report); },
                                              [this] { return leads.load(); }, wall_us,
                                              [this](std::string_view, std::string_view line) {
                                                const std::lock_guard lock(log_mutex);
                                                lines.emplace_back(line);
                                              }});
  }
  // Rounds that begin after now.
  bool goes_on(int rounds = 2) {
    const auto from = sync->rounds();
    return eventually([&] { return sync->rounds() >= from + rounds; });
  }
  std::string error(const std::string& part) const {
    for (const PartState& state : sync->states()) {
      if (state.name == part) return state.error;
    }
    return "no such part";
  }
  std::string errors() const {
    std::string all = std::to_string(sync->rounds()) + " rounds, " + std::to_string(taker.hosts()) + " hosts";
    for (const PartState& state : sync->states()) all += "; " + state.name + ": " + state.error;
    return all;
  }
  std::size_t logged(const std::string& text) {
    const std::lock_guard lock(log_mutex);
    return static_cast<std::size_t>(std::count_if(
        lines.begin(), lines.end(), [&](const auto& line) { return line.find(text) != std::string::npos; }));
  }
  void TearDown() override {
    if (sync) sync->stop();
  }

  std::chrono::milliseconds interval{20}, full_interval{3'600'000};
  std::unique_ptr<FakeCloud> cloud;
  Taker taker;
  std::atomic<bool> leads{true};
  std::mutex log_mutex;
  std::vector<std::string> lines;
  std::unique_ptr<Keystone> keystone;
  std::unique_ptr<NovaReader> nova;
  std::unique_ptr<PlacementReader> placement;
  std::unique_ptr<NovaDatabase> database;
  std::unique_ptr<Sync> sync;
};

TEST_F(SyncTest, HandsOverEverythingPageByPage) {
  start(10, 25);
  ASSERT_TRUE(eventually([&] { return taker.vms() == 25; })) << errors();

  const CloudReport report = taker.last();
  ASSERT_EQ(report.hosts->size(), 10u);
  EXPECT_EQ(report.hosts->at(4).name, "n4");
  EXPECT_EQ(report.hosts->at(4).vcpus, 64);
  EXPECT_EQ(report.hosts->at(4).aggregates, (std::vector<std::string>{"ssd"}));
  EXPECT_EQ(report.vms->at(13).host, "n3");
  EXPECT_EQ(report.groups->size(), 1u);
  EXPECT_EQ(report.aggregates->size(), 1u);
  for (const PartState& state : sync->states()) EXPECT_EQ(state.error, "") << state.name;
}

TEST_F(SyncTest, DoesWithoutADatabaseThatIsAway) {
  database = NovaDatabase::create({{"mysql://nova@127.0.0.1:1/nova"}, std::chrono::seconds(1)}).value();
  start(4, 8);
  ASSERT_TRUE(eventually([&] { return taker.vms() == 8; })) << errors();
  EXPECT_NE(error("compute_nodes").find("nova_database nova on 127.0.0.1: "), std::string::npos);
  EXPECT_NE(taker.last().hosts->at(0).nova_state.find(R"("unread":["supported_instances")"), std::string::npos);
  for (const PartState& state : sync->states())
    EXPECT_EQ(state.needed, state.name != "groups" && state.name != "compute_nodes");
}

constexpr const char* kOddRows = R"({"extra":{
  "server_groups":[{"id":"00000000-0006-4000-8000-000000000009","policy":null,
                    "members":["00000000-0002-4000-8000-000000000001"]}, null],
  "servers":[{"id":"none"}],"hypervisors":[{"id":7}],"services":[null],"aggregates":[{"name":null}],
  "resource_providers":[null]}})";

TEST_F(SyncTest, LosesOneOddRowAndNoTable) {
  cloud = std::make_unique<FakeCloud>(10, 25);
  cloud->set(kOddRows);
  resume();

  ASSERT_TRUE(eventually([&] { return taker.vms() == 25; }));
  EXPECT_EQ(taker.hosts(), 10u);
  EXPECT_EQ(taker.last().groups->size(), 1u);
  EXPECT_NE(taker.last().vms->at(1).group, "");
  for (const PartState& state : sync->states()) EXPECT_EQ(state.error, "") << state.name;
  EXPECT_TRUE(
      eventually([&] { return logged("event=openstack_odd note=\"Nova's answer: server_groups[0].policy: ") > 0; }));
}

TEST_F(SyncTest, TakesNoServersWithoutTheirHosts) {
  cloud = std::make_unique<FakeCloud>(4, 8);
  cloud->set(R"({"hide_keys":["OS-EXT-SRV-ATTR:host"]})");
  resume();

  EXPECT_TRUE(eventually([&] { return error("servers").find("lacks OS-EXT-SRV-ATTR:host") != std::string::npos; }));
  EXPECT_EQ(taker.vms(), 0u);
}

TEST_F(SyncTest, HandsHostsAndVmsOverTogether) {
  cloud = std::make_unique<FakeCloud>(4, 8);
  cloud->set(R"({"fail":{"/compute/v2.1/servers":500}})");
  resume();
  ASSERT_TRUE(eventually([&] { return error("servers").find("answered 500") != std::string::npos; }));
  ASSERT_TRUE(goes_on());
  EXPECT_EQ(taker.hosts(), 0u);

  cloud->set(R"({"fail":{}})");

  EXPECT_TRUE(eventually([&] { return taker.hosts() == 4 && taker.vms() == 8; }));
}

TEST_F(SyncTest, DoesWithoutGroupsThatAreForbidden) {
  cloud = std::make_unique<FakeCloud>(4, 8);
  cloud->set(R"({"fail":{"/compute/v2.1/os-server-groups":403}})");
  resume();

  ASSERT_TRUE(eventually([&] { return taker.vms() == 8; }));
  EXPECT_FALSE(taker.last().groups);
  EXPECT_NE(error("groups").find("os-server-groups"), std::string::npos) << error("groups");
  EXPECT_NE(taker.last().hosts->at(0).nova_state.find("server_groups"), std::string::npos);

  cloud->set(R"({"fail":{}})");
  EXPECT_TRUE(eventually([&] { return taker.last().groups && !taker.last().vms->at(0).group.empty(); }));
}

TEST_F(SyncTest, KeepsItsRoomWhileAWholeReadingFails) {
  full_interval = std::chrono::milliseconds(1);
  start(4, 8);
  ASSERT_TRUE(eventually([&] { return taker.vms() == 8; }));

  cloud->set(R"({"fail":{"/placement":500}})");
  ASSERT_TRUE(eventually([&] { return !error("providers").empty(); }));
  ASSERT_TRUE(goes_on());

  EXPECT_EQ(taker.last().hosts->at(0).vcpus, 64);
}

TEST_F(SyncTest, GoesOnWithTheServersWhereItFailed) {
  cloud = std::make_unique<FakeCloud>(10, 25);  // seven pages
  cloud->set(R"({"fail_after":{"/compute/v2.1/servers":[3,500]}})");
  resume();
  ASSERT_TRUE(eventually([&] { return error("servers").find("answered 500") != std::string::npos; }));

  cloud->set(R"({"fail_after":{"/compute/v2.1/servers":[4,500]}})");

  EXPECT_TRUE(eventually([&] { return taker.vms() == 25; }));
}

TEST_F(SyncTest, BeginsServersAgainWhereTheirPageIsGone) {
  cloud = std::make_unique<FakeCloud>(10, 25);
  cloud->set(R"({"fail_after":{"/compute/v2.1/servers":[3,500]}})");
  resume();
  ASSERT_TRUE(eventually([&] { return error("servers").find("answered 500") != std::string::npos; }));

  cloud->set(R"({"delete":[11],"fail_after":{}})");

  EXPECT_TRUE(eventually([&] { return taker.vms() == 24; })) << error("servers");
}

TEST_F(SyncTest, KeepsTheProvidersThatItHasRead) {
  cloud = std::make_unique<FakeCloud>(10, 25);  // forty calls
  cloud->set(R"({"fail_after":{"/placement/resource_providers/":[24,500]}})");
  resume();
  ASSERT_TRUE(eventually([&] { return error("providers").find("answered 500") != std::string::npos; }));

  cloud->set(R"({"fail_after":{"/placement/resource_providers/":[32,500]}})");

  EXPECT_TRUE(eventually([&] { return taker.hosts() == 10; }));
}

TEST_F(SyncTest, SeesAHostGoDownWhileServersAreBeingRead) {
  start(4, 8);
  ASSERT_TRUE(eventually([&] { return taker.vms() == 8; }));

  cloud->set(R"({"hang":["/compute/v2.1/servers"],"down_cell":1})");

  EXPECT_TRUE(eventually([&] { return taker.last().hosts->at(3).state == HostState::kDown; }));
  EXPECT_EQ(error("servers"), "");  // it still waits
}

TEST_F(SyncTest, FollowsACloudWhoseClockIsBehind) {
  cloud = std::make_unique<FakeCloud>(4, 8);
  cloud->set(R"({"behind_s":600})");
  resume();
  ASSERT_TRUE(eventually([&] { return taker.vms() == 8; }));

  cloud->set(R"({"delete":[3],"boot":2})");

  EXPECT_TRUE(eventually([&] { return taker.deleted() == 1 && taker.vms() == 9; }));
}

TEST_F(SyncTest, FollowsWhatChanges) {
  start(10, 25);
  ASSERT_TRUE(eventually([&] { return taker.vms() == 25; }));
  const int asked = cloud->calls("GET /placement/resource_providers/00000000-0001-4000-8000-000000000006");

  cloud->set(R"({"delete":[3],"boot":1,"move":{"4":9}})");

  ASSERT_TRUE(eventually([&] { return taker.deleted() == 1 && taker.vms() == 25; }));
  ASSERT_TRUE(goes_on());
  const auto vms = *taker.last().vms;
  EXPECT_TRUE(std::any_of(vms.begin(), vms.end(), [](const VmRow& vm) { return vm.name == "vm-25"; }));
  EXPECT_TRUE(std::none_of(vms.begin(), vms.end(), [](const VmRow& vm) { return vm.name == "vm-3"; }));
  EXPECT_TRUE(
      std::any_of(vms.begin(), vms.end(), [](const VmRow& vm) { return vm.name == "vm-4" && vm.host == "n9"; }));
  EXPECT_EQ(asked, cloud->calls("GET /placement/resource_providers/00000000-0001-4000-8000-000000000006"));
}

TEST_F(SyncTest, KeepsOnWithNovaWhilePlacementIsAway) {
  start(10, 25);
  ASSERT_TRUE(eventually([&] { return taker.vms() == 25; }));

  cloud->set(R"({"fail":{"/placement":503},"boot":1})");

  ASSERT_TRUE(eventually([&] { return taker.vms() == 26 && !error("providers").empty(); }));
  EXPECT_EQ(taker.hosts(), 10u);
  EXPECT_NE(error("providers").find("answered 503"), std::string::npos) << error("providers");
  EXPECT_EQ(error("servers"), "");
  ASSERT_TRUE(goes_on(5));
  // Once for each reason: the reading that was under way may have failed in another call than those after it.
  EXPECT_LE(logged("part=providers error=\"GET"), 2u);
  cloud->set(R"({"fail":{}})");
  EXPECT_TRUE(eventually([&] { return error("providers").empty(); }));
  EXPECT_TRUE(eventually([&] { return logged("part=providers error=-") == 2; }));
}

TEST_F(SyncTest, SaysThatKeystoneIsAway) {
  start(4, 4);
  ASSERT_TRUE(eventually([&] { return taker.vms() == 4; }));

  cloud->set(R"({"fail":{"/identity":500},"revoke":true})");
  ASSERT_TRUE(eventually(
      [&] { return error("servers").find("answered 500 to the login of user emplace") != std::string::npos; }));
  EXPECT_EQ(taker.vms(), 4u);

  cloud->set(R"({"fail":{}})");
  EXPECT_TRUE(eventually([&] { return error("servers").empty() && error("providers").empty(); }));
}

TEST_F(SyncTest, TakesNoTruncatedTable) {
  start(4, 4);
  ASSERT_TRUE(eventually([&] { return taker.vms() == 4; }));

  cloud->set(R"({"truncate":["/compute/v2.1/servers"]})");
  ASSERT_TRUE(eventually([&] { return !error("servers").empty(); }));
  ASSERT_TRUE(goes_on());

  EXPECT_EQ(taker.vms(), 4u);
}

TEST_F(SyncTest, ReadsEverythingAgainAfterABrake) {
  start(4, 4);
  ASSERT_TRUE(eventually([&] { return taker.vms() == 4; }));

  taker.refuse(true);
  cloud->set(R"({"hide_hosts":3})");
  ASSERT_TRUE(eventually([&] { return taker.hosts() == 1; }));
  ASSERT_TRUE(eventually([&] { return error("picture") == "brake: too many"; }));
  cloud->set(R"({"hide_hosts":0})");
  taker.refuse(false);

  EXPECT_TRUE(eventually([&] { return taker.hosts() == 4 && error("picture").empty(); }));
}

TEST_F(SyncTest, KeepsWhatIsInACellThatDoesNotAnswer) {
  full_interval = std::chrono::milliseconds(1);  // everything, every time
  start(4, 8);
  ASSERT_TRUE(eventually([&] { return taker.vms() == 8; }));

  cloud->set(R"({"down_cell":2})");
  ASSERT_TRUE(goes_on(3));

  const CloudReport report = taker.last();
  ASSERT_EQ(report.hosts->size(), 4u);
  for (const HostRow& host : *report.hosts) {
    EXPECT_EQ(host.state == HostState::kDown, host.name == "n0" || host.name == "n1") << host.name;
  }
  ASSERT_EQ(report.vms->size(), 8u);
  for (const VmRow& vm : *report.vms) EXPECT_NE(vm.host, "") << vm.name;
}

TEST_F(SyncTest, WaitsForACellThatItNeverSaw) {
  cloud = std::make_unique<FakeCloud>(4, 8);
  cloud->set(R"({"down_cell":2})");
  resume();

  EXPECT_TRUE(eventually([&] { return error("hypervisors") == "host n0: its cell does not answer"; }))
      << error("hypervisors");
  EXPECT_EQ(taker.hosts(), 0u);
  cloud->set(R"({"down_cell":0})");
  EXPECT_TRUE(eventually([&] { return taker.hosts() == 4 && taker.vms() == 8; }));
}

TEST_F(SyncTest, RefusesANovaThatIsTooOld) {
  cloud = std::make_unique<FakeCloud>(2, 2);
  cloud->set(R"({"versions":{"nova":["2.1","2.60"]}})");
  resume();

  ASSERT_TRUE(eventually([&] {
    return error("servers") == "Nova: wanted an API that speaks microversion 2.73, found 2.1 to 2.60";
  })) << error("servers");
  EXPECT_TRUE(eventually([&] { return error("providers").empty(); }));
}

TEST_F(SyncTest, LeavesItToAnotherReplica) {
  leads = false;
  start(2, 2);
  ASSERT_TRUE(eventually([&] { return error("servers").empty(); }));
  EXPECT_EQ(sync->rounds(), 0);

  leads = true;
  EXPECT_TRUE(eventually([&] { return taker.vms() == 2; }));
}

TEST_F(SyncTest, StopsWhileAServiceHangs) {
  cloud = std::make_unique<FakeCloud>(2, 2);
  cloud->set(R"({"hang":["/compute"]})");
  resume();
  ASSERT_TRUE(eventually([&] { return cloud->calls("GET /compute/v2.1/") > 0; }));

  cloud->web().stop();
  sync->stop();

  EXPECT_EQ(sync->rounds(), 0);
}

TEST_F(SyncTest, ReadsAtOnceWhenItIsHurried) {
  interval = std::chrono::hours(1);
  start(4, 8);
  ASSERT_TRUE(eventually([&] { return taker.vms() == 8; }));

  cloud->set(R"({"boot":1})");
  sync->hurry();

  EXPECT_TRUE(eventually([&] { return taker.vms() == 9; }));
  EXPECT_EQ(cloud->calls("GET /compute/v2.1/os-aggregates"), 1);  // which is not due
}

TEST(Backoff, GrowsToItsMostAndVaries) {
  const Backoff backoff{std::chrono::milliseconds(100), std::chrono::milliseconds(1'000)};
  EXPECT_EQ(backoff.after(0, 1).count(), 0);
  EXPECT_EQ(backoff.after(1, 1).count(), 100);
  EXPECT_EQ(backoff.after(2, 1).count(), 200);
  EXPECT_EQ(backoff.after(2, 0).count(), 100);
  EXPECT_EQ(backoff.after(5, 1).count(), 1'000);
  EXPECT_EQ(backoff.after(1'000'000, 1).count(), 1'000);
}

}  // namespace
}  // namespace emplace::openstack
