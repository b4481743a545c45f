#include "service/observe/mirror.h"

#include <gtest/gtest.h>

namespace emplace::observe {
namespace {

Uuid id_of(int i) {
  Uuid id;
  id.bytes[14] = static_cast<std::uint8_t>(i >> 8);
  id.bytes[15] = static_cast<std::uint8_t>(i);
  return id;
}

HostRow host(const std::string& name) {
  HostRow row{.name = name, .source = "openstack"};
  row.vcpus = 8;
  return row;
}

VmRow vm(int i, const std::string& where) {
  VmRow row;
  row.id = id_of(i);
  row.name = "vm";
  row.host = where;
  row.source = "openstack";
  row.vcpus = 1;
  return row;
}

CloudReport report(int hosts, int vms) {
  CloudReport made;
  made.hosts.emplace();
  made.vms.emplace();
  for (int i = 0; i < hosts; ++i) made.hosts->push_back(host("n" + std::to_string(i)));
  for (int i = 0; i < vms; ++i) made.vms->push_back(vm(i, "n" + std::to_string(i % hosts)));
  return made;
}

std::shared_ptr<const Picture> picture_of(const std::vector<Change>& changes) {
  PictureBuilder builder(std::make_shared<const Picture>(*Arena::create(std::uint64_t{1} << 30)));
  for (const Change& change : changes) apply(builder, change);
  return builder.finish({"t", 1, 1}, 0);
}

std::vector<Change> rows_of(const CloudReport& of) {
  std::vector<Change> all(of.hosts->begin(), of.hosts->end());
  all.insert(all.end(), of.vms->begin(), of.vms->end());
  return all;
}

std::size_t count(const Difference& found) { return found.named.size() + found.vms.size() + found.gone.size(); }

TEST(Mirror, WritesNothingThatIsThere) {
  const CloudReport same = report(5, 20);
  EXPECT_EQ(count(difference(*picture_of(rows_of(same)), same, {})), 0u);
  EXPECT_EQ(count(difference(*picture_of({}), same, {})), 25u);
}

TEST(Mirror, WritesWhatMovedAndRemovesWhatWent) {
  const CloudReport before = report(5, 20);
  CloudReport after = before;
  after.vms->at(3).host = "n0";
  after.vms->pop_back();
  after.hosts->at(1).vcpus = 16;

  const Difference found = difference(*picture_of(rows_of(before)), after, {});

  ASSERT_EQ(found.named.size(), 1u);
  EXPECT_EQ(std::get<HostRow>(found.named[0]).vcpus, 16);
  ASSERT_EQ(found.vms.size(), 2u);
  EXPECT_EQ(std::get<VmRow>(found.vms[0]).host, "n0");
  EXPECT_EQ(std::get<VmRemoved>(found.vms[1]).id, id_of(19));
  EXPECT_EQ(found.vms_gone, 1u);
}

TEST(Mirror, LeavesAloneWhatIsNotTheClouds) {
  HostRow other = host("mine");
  other.source = "libvirt";
  VmRow guest = vm(99, "mine");
  guest.source = "found";
  CloudReport empty;
  empty.hosts.emplace(), empty.vms.emplace(), empty.groups.emplace(), empty.aggregates.emplace();

  const auto found = difference(*picture_of({AggregateRow{"fast", {}}, GroupRow{.name = "apart"},
                                             GroupRow{.name = to_string(id_of(6))}, other, guest}),
                                empty, {});

  EXPECT_EQ(count(found), 0u);
}

TEST(Mirror, RemovesGroupsAndAggregatesOfTheCloud) {
  CloudReport empty;
  empty.groups.emplace(), empty.aggregates.emplace();
  const std::string group = to_string(id_of(5));

  const auto found = difference(*picture_of({AggregateRow{"ssd", {}}, GroupRow{.name = group}}), empty,
                                {.aggregates = {"ssd"}, .groups = {group}});

  ASSERT_EQ(found.gone.size(), 2u);
  EXPECT_EQ(std::get<GroupRemoved>(found.gone[0]).name, group);
  EXPECT_EQ(std::get<AggregateRemoved>(found.gone[1]).name, "ssd");
}

TEST(Mirror, KnowsWhatItsHostsAndVmsHaveFromBefore) {
  CloudReport known = report(3, 3);
  known.hosts->at(0).aggregates = {"ssd"}, known.hosts->at(2).aggregates = {"gpu", "ssd"};
  known.vms->at(1).group = to_string(id_of(5));
  std::vector<Change> all = {AggregateRow{"ssd", {}}, AggregateRow{"gpu", {}}, AggregateRow{"mine", {}},
                             GroupRow{.name = to_string(id_of(5))}, GroupRow{.name = to_string(id_of(6))}};
  for (Change& row : rows_of(known)) all.push_back(std::move(row));

  const CloudNames names = names_in(*picture_of(all));

  EXPECT_EQ(names.aggregates, (std::set<std::string>{"gpu", "ssd"}));
  EXPECT_EQ(names.groups, std::set<std::string>{to_string(id_of(5))});
}

TEST(Mirror, LeavesAHostToLibvirtThatHasItToo) {
  HostRow both = host("n1");
  both.source = "libvirt", both.vcpus = 4;
  const CloudReport made = report(3, 0);

  const auto found = difference(*picture_of({host("n0"), both, host("n2")}), made, {});

  EXPECT_EQ(count(found), 0u);
  EXPECT_EQ(found.hosts_refused, std::set<std::string>{"n1"});
}

TEST(Mirror, KeepsAnOperatorsWordAboutAHost) {
  const auto state_after = [](HostState known, const std::string& nova_state, HostState seen) {
    HostRow old = host("n0"), now = host("n0");
    old.state = known, old.nova_state = nova_state;
    now.state = seen, now.vcpus = 99;
    CloudReport made;
    made.hosts = {now};
    return std::get<HostRow>(difference(*picture_of({old}), made, {}).named.at(0)).state;
  };
  const std::string by_nova = R"({"service":{"disabled":true}})";
  EXPECT_EQ(state_after(HostState::kMaintenance, "", HostState::kEnabled), HostState::kMaintenance);
  EXPECT_EQ(state_after(HostState::kDisabled, "", HostState::kEnabled), HostState::kDisabled);
  EXPECT_EQ(state_after(HostState::kDisabled, by_nova, HostState::kEnabled), HostState::kEnabled);
  EXPECT_EQ(state_after(HostState::kDown, "", HostState::kEnabled), HostState::kEnabled);
  EXPECT_EQ(state_after(HostState::kEnabled, "", HostState::kDown), HostState::kDown);
}

TEST(Mirror, KeepsWhatTheCloudHasNoWordFor) {
  HostRow old = host("n0");
  old.rack = "r1", old.cpu_util = 0.5, old.observed_at_us = 7;
  CloudReport made;
  made.hosts = {host("n0")};
  EXPECT_EQ(count(difference(*picture_of({old}), made, {})), 0u);

  made.hosts->at(0).zone = "z";
  const auto found = difference(*picture_of({old}), made, {});
  EXPECT_EQ(std::get<HostRow>(found.named.at(0)).rack, "r1");
  EXPECT_EQ(std::get<HostRow>(found.named.at(0)).cpu_util, 0.5);
}

TEST(Mirror, KeepsTheGroupsOfVmsOfWhichTheCloudTellsNothing) {
  CloudReport before = report(1, 1), after = before;
  before.vms->at(0).group = to_string(id_of(5));
  const auto picture = [&] {
    std::vector<Change> all = {GroupRow{.name = to_string(id_of(5))}};
    for (Change& row : rows_of(before)) all.push_back(std::move(row));
    return picture_of(all);
  }();

  EXPECT_EQ(count(difference(*picture, after, {})), 0u);
  after.groups.emplace();
  EXPECT_EQ(difference(*picture, after, {}).vms.size(), 1u);
}

bool brakes(const CloudReport& before, const CloudReport& after) {
  return !check_brake(difference(*picture_of(rows_of(before)), after, {}), 20);
}

VmRow reserved(int i, const std::string& where) {
  VmRow row = vm(i, where);
  row.claim = row.id;
  return row;
}

TEST(Mirror, EndsReservationsOfVmsThatArrived) {
  const auto picture = picture_of({host("n0"), host("n1"), vm(4, "n1"), reserved(1, "n0"), reserved(2, "n0"),
                                   reserved(3, "n0"), reserved(4, "n0")});
  const std::vector<VmRow> seen{vm(1, "n0"), vm(2, "n1"), vm(3, ""), vm(4, "n1"), vm(5, "n0")};

  // 3 is not placed yet, 4 may be moving there.
  EXPECT_EQ(ended_reservations(*picture, seen), (std::vector{id_of(1), id_of(2)}));
}

TEST(Brake, HoldsWhenTooMuchIsMissing) {
  const CloudReport before = report(10, 100);
  CloudReport after = before;
  after.hosts->resize(8);
  EXPECT_FALSE(brakes(before, after));
  after.hosts->resize(7);
  EXPECT_TRUE(brakes(before, after));

  after = before;
  after.vms->resize(80);
  EXPECT_FALSE(brakes(before, after));
  after.vms->resize(79);
  EXPECT_TRUE(brakes(before, after));
  const auto error = check_brake(difference(*picture_of(rows_of(before)), after, {}), 20).error();
  EXPECT_NE(error.message.find("brake: OpenStack lists 21 of 100 vms no more, over 20 %"), std::string::npos)
      << error.message;
}

TEST(Brake, HoldsWhenPlacementForgetsHosts) {
  const CloudReport before = report(10, 20);
  const auto after = [&](std::size_t forgotten) {
    CloudReport made = before;
    for (std::size_t i = 0; i < forgotten; ++i) {
      HostRow& one = made.hosts->at(i);
      one.state = HostState::kDown;
      one.vcpus = one.memory_mib = one.disk_gib = 0;
    }
    return made;
  };
  EXPECT_FALSE(brakes(before, after(2)));
  EXPECT_TRUE(brakes(before, after(5)));
  EXPECT_FALSE(brakes(after(5), after(5)));
  EXPECT_FALSE(brakes(after(5), before));
  const auto error = check_brake(difference(*picture_of(rows_of(before)), after(5), {}), 20).error();
  EXPECT_NE(error.message.find("brake: Placement lists 5 of 10 hosts' inventories no more"), std::string::npos)
      << error.message;
}

TEST(Brake, DoesNotCountWhatIsSaidToBeDeleted) {
  const CloudReport before = report(10, 100);
  CloudReport after = before;
  after.vms->resize(50);
  for (int i = 50; i < 100; ++i) after.deleted_vms.insert(id_of(i));
  EXPECT_FALSE(brakes(before, after));
}

TEST(Brake, LetsAFewGo) {
  CloudReport after = report(2, 2);
  after.vms->clear();
  EXPECT_FALSE(brakes(report(2, 2), after));
}

TEST(Brake, IsNotAskedAboutTablesThatWereNotRead) { EXPECT_FALSE(brakes(report(10, 100), CloudReport())); }

}  // namespace
}  // namespace emplace::observe
