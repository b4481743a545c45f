#include "service/core/decide/query.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/unit/cluster_rows.h"

namespace emplace {
namespace {

using testing_rows::numbered;
using testing_rows::picture_of;

// A cluster that is small enough to be asked by going through all of it.
struct RandomCluster {
  std::vector<HostRow> hosts;
  std::vector<VmRow> vms;
  std::vector<TrafficRow> traffic;
  std::vector<DataSourceRow> data;
  std::shared_ptr<const Picture> picture;
};

RandomCluster random_cluster(std::uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  const auto named = [&](const char* what, std::uint32_t n) { return what + std::to_string(below(n)); };
  RandomCluster cluster;
  for (int i = 0; i < 6; ++i) {
    HostRow host;
    host.name = "host" + std::to_string(i);
    if (below(4) != 0) host.rack = named("rack", 3);
    if (below(4) != 0) host.zone = named("zone", 2);
    host.traits = {named("TRAIT", 3)};
    cluster.hosts.push_back(host);
  }
  for (std::uint64_t i = 0; i < 14; ++i) {
    VmRow vm;
    vm.id = numbered(1 + i % 11);  // some vms have a claim besides
    vm.name = "vm" + std::to_string(1 + i % 11);
    vm.state = VmState::kRunning;
    if (i >= 11) vm.claim = numbered(100 + i);
    if (below(5) != 0) vm.host = named("host", 6);
    if (below(3) != 0) vm.group = named("group", 2);
    if (below(3) != 0) {
      vm.spread = {static_cast<SpreadBy>(1 + below(2)), named("spread", 2), below(4) == 0 ? "" : named("domain", 2)};
    }
    cluster.vms.push_back(vm);
  }
  std::set<std::pair<std::string, std::string>> pairs;
  for (int i = 0; i < 20; ++i) {
    TrafficRow edge{named("vm", 14), named("vm", 14), 1.0 + below(100), 5};
    const auto ends = std::minmax(edge.a, edge.b);
    if (pairs.emplace(ends.first, ends.second).second) cluster.traffic.push_back(edge);
  }
  for (const char* vm : {"vm1", "vm2", "vm12"}) cluster.data.push_back({vm, named("data", 2), 1.0 + below(9), 5});
  std::vector<Change> changes = {GroupRow{"group0"}, GroupRow{"group1"}};
  changes.insert(changes.end(), cluster.hosts.begin(), cluster.hosts.end());
  changes.insert(changes.end(), cluster.vms.begin(), cluster.vms.end());
  changes.insert(changes.end(), cluster.traffic.begin(), cluster.traffic.end());
  changes.insert(changes.end(), cluster.data.begin(), cluster.data.end());
  cluster.picture = picture_of(changes);
  return cluster;
}

const HostRow* host_of(const RandomCluster& cluster, const VmRow& vm) {
  for (const HostRow& host : cluster.hosts) {
    if (host.name == vm.host) return &host;
  }
  return nullptr;
}

bool is_other(const VmRow& row, const VmRequest& vm) { return vm.id.is_zero() ? row.name != vm.name : row.id != vm.id; }

void expect_members(const RandomCluster& cluster, const Query& query) {
  std::map<std::string, std::uint32_t> wanted, found;
  for (const VmRow& row : cluster.vms) {
    if (!query.vm.group.empty() && row.group == query.vm.group && !row.host.empty() && is_other(row, query.vm)) {
      ++wanted[row.host];
    }
  }
  for (const HostCount& members : query.members) {
    found[std::string((*cluster.picture)[hosts::name][members.host])] = members.count;
  }
  EXPECT_EQ(found, wanted);
  EXPECT_EQ(found.size(), query.members.size());
  EXPECT_TRUE(std::is_sorted(query.members.begin(), query.members.end(),
                             [](const HostCount& a, const HostCount& b) { return a.host < b.host; }));
}

void expect_taken(const RandomCluster& cluster, const Query& query) {
  std::set<std::string> domains, hosts_taken, found_domains, found_hosts;
  for (const VmRow& row : cluster.vms) {
    const HostRow* host = host_of(cluster, row);
    const Spread& spread = query.vm.spread;
    if (host == nullptr || spread.by == SpreadBy::kNone || row.spread.group != spread.group) continue;
    if (row.spread.domain == spread.domain || !is_other(row, query.vm)) continue;
    const std::string& place = spread.by == SpreadBy::kRack ? host->rack : host->zone;
    place.empty() ? hosts_taken.insert(host->name) : domains.insert(place);
  }
  for (const std::uint32_t code : query.taken_domains) found_domains.emplace(cluster.picture->text(code));
  for (const std::uint32_t row : query.taken_hosts) found_hosts.emplace((*cluster.picture)[hosts::name][row]);
  EXPECT_EQ(found_domains, domains);
  EXPECT_EQ(found_hosts, hosts_taken);
  EXPECT_EQ(query.taken_domains.size(), domains.size());
  EXPECT_EQ(query.taken_hosts.size(), hosts_taken.size());
}

using Flow = std::tuple<std::string, std::string, double>;  // peer, its host, bytes/s

void expect_peers(const RandomCluster& cluster, const Query& query) {
  std::vector<Flow> wanted, found;
  for (const TrafficRow& edge : cluster.traffic) {
    if (edge.a == edge.b || (edge.a != query.vm.name && edge.b != query.vm.name)) continue;
    const std::string& peer = edge.a == query.vm.name ? edge.b : edge.a;
    std::string host, claimed;
    for (const VmRow& row : cluster.vms) {
      if (row.name == peer) (row.claim ? claimed : host) = row.host;
    }
    if (host.empty()) host = claimed;
    wanted.emplace_back(peer, host, edge.bytes_per_s);
  }
  for (const Peer& peer : query.peers) {
    found.emplace_back((*cluster.picture)[vms::name][peer.vm],
                       peer.host == kNoRow ? "" : (*cluster.picture)[hosts::name][peer.host], peer.bytes_per_s);
  }
  EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
  std::sort(wanted.begin(), wanted.end());
  EXPECT_EQ(found, wanted);
  std::map<std::string, double> sources, found_sources;
  for (const DataSourceRow& row : cluster.data) {
    if (row.vm == query.vm.name) sources[row.source] += row.bytes_per_s;
  }
  for (const DataSource& source : query.data_sources) {
    found_sources[std::string(cluster.picture->text(source.source))] = source.bytes_per_s;
  }
  EXPECT_EQ(found_sources, sources);
}

class BindRandom : public testing::TestWithParam<std::uint32_t> {};

TEST_P(BindRandom, FindsWhatGoingThroughAllRowsFinds) {
  const RandomCluster cluster = random_cluster(GetParam());
  for (const bool with_id : {false, true}) {
    for (std::uint64_t i = 1; i <= 13; ++i) {
      PlacementRequest request;
      request.vm.name = "vm" + std::to_string(i);
      if (with_id) request.vm.id = numbered(i);
      if (i % 3 != 0) request.vm.group = "group" + std::to_string(i % 2);
      request.vm.spread = {static_cast<SpreadBy>(i % 3), "spread" + std::to_string(i % 2), i % 5 == 0 ? "" : "domain0"};
      const auto query = bind(request, request.vm, *cluster.picture, 1);
      ASSERT_TRUE(query);
      expect_members(cluster, *query);
      expect_taken(cluster, *query);
      expect_peers(cluster, *query);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Random, BindRandom, testing::Range(0u, 40u));

VmRow vm_row(std::uint64_t id, const std::string& name, const std::string& host) {
  VmRow row;
  row.id = numbered(id);
  row.name = name;
  row.host = host;
  row.state = VmState::kRunning;
  return row;
}

TEST(Bind, TakesAnExpectedVmButNoOtherOfThatName) {
  const auto picture = picture_of({vm_row(1, "web", ""), TrafficRow{"db", "web", 7, 1}});
  PlacementRequest request;
  request.vm.name = "db";
  request.vm.id = numbered(50);
  EXPECT_EQ(bind(request, request.vm, *picture, 1)->vm_row, picture->find_vm_by_name("db"));
  EXPECT_EQ(bind(request, request.vm, *picture, 1)->peers.size(), 1u);
  request.vm.name = "web";
  EXPECT_EQ(bind(request, request.vm, *picture, 1)->vm_row, kNoRow);
  request.vm.id = {};
  EXPECT_EQ(bind(request, request.vm, *picture, 1)->vm_row, picture->find_vm(numbered(1)));
}

TEST(Bind, NamesUnknownHostsAndGroups) {
  HostRow host;
  host.name = "a";
  const auto picture = picture_of({host});
  PlacementRequest request;
  request.vm.group = "nobody";
  const auto no_group = bind(request, request.vm, *picture, 1);
  ASSERT_FALSE(no_group);
  EXPECT_EQ(no_group.error().code, ErrorCode::kInvalid);
  EXPECT_NE(no_group.error().message.find("nobody"), std::string::npos);

  HostRow of_cloud;
  of_cloud.name = "unread";
  of_cloud.nova_state = R"({"unread":["server_groups","stats"]})";
  const auto without_groups = picture_of({of_cloud});
  const auto unread = bind(request, request.vm, *without_groups, 1);
  ASSERT_TRUE(unread) << unread.error().message;
  EXPECT_TRUE(unread->group_unread && unread->group_row == kNoRow);

  request.vm.group.clear();
  request.vm.only_hosts = {"a", "b"};
  const auto no_host = bind(request, request.vm, *picture, 1);
  ASSERT_FALSE(no_host);
  EXPECT_NE(no_host.error().message.find("\"b\""), std::string::npos);
}

TEST(Bind, FindsHostsThatNovaNamesWithoutRegardToCase) {
  std::vector<Change> changes;
  for (const char* name : {"cmp0", "cmp1", "CMP1"}) {
    HostRow host;
    host.name = name;
    changes.emplace_back(host);
  }
  const auto picture = picture_of(changes);
  PlacementRequest request;
  request.vm.nova_spec = "{}";
  request.vm.only_hosts = {"Cmp1"};
  request.vm.ignore_hosts = {"CMP0"};

  const auto query = bind(request, request.vm, *picture, 1);

  ASSERT_TRUE(query);
  std::vector<std::uint32_t> only = {picture->find_host("cmp1"), picture->find_host("CMP1")};
  std::sort(only.begin(), only.end());
  EXPECT_EQ(query->only_hosts, only);
  EXPECT_EQ(query->ignored_hosts, std::vector{picture->find_host("cmp0")});
}

TEST(Bind, TellsTheNodesOfAServiceApart) {
  std::vector<Change> changes;
  for (const char* node : {"n1", "n2", "n3"}) {
    HostRow host;
    host.name = std::string("Ironic/") + node;
    host.nova_state = std::string(R"({"host":"Ironic","nodename":")") + node + "\"}";
    changes.emplace_back(host);
  }
  HostRow compute;
  compute.name = "cmp0";
  changes.emplace_back(compute);
  const auto picture = picture_of(changes);
  const auto names_of = [&](const std::optional<std::vector<std::uint32_t>>& rows) {
    std::set<std::string> names;
    for (const std::uint32_t row : rows.value_or(std::vector<std::uint32_t>()))
      names.emplace((*picture)[hosts::name][row]);
    return names;
  };
  const auto bound = [&](std::vector<std::string> only_hosts, std::vector<std::string> only_nodes,
                         std::vector<std::string> ignored) {
    PlacementRequest request;
    request.vm.nova_spec = "{}";
    request.vm.only_hosts = std::move(only_hosts);
    request.vm.only_nodes = std::move(only_nodes);
    request.vm.ignore_hosts = std::move(ignored);
    const auto query = bind(request, request.vm, *picture, 1);
    return std::pair(names_of(query->only_hosts), names_of(query->ignored_hosts));
  };
  using Names = std::set<std::string>;

  EXPECT_EQ(bound({"ironic"}, {}, {}).first, (Names{"Ironic/n1", "Ironic/n2", "Ironic/n3"}));
  EXPECT_EQ(bound({"Ironic"}, {"n2"}, {}).first, Names{"Ironic/n2"});
  EXPECT_EQ(bound({}, {"n3", "cmp0"}, {}).first, (Names{"Ironic/n3", "cmp0"}));
  EXPECT_EQ(bound({"cmp0"}, {"other"}, {}).first, Names{});
  EXPECT_EQ(bound({}, {}, {"IRONIC"}).second, (Names{"Ironic/n1", "Ironic/n2", "Ironic/n3"}));
}

TEST(Bind, TurnsNamesIntoRowsAndCodes) {
  std::vector<Change> changes;
  for (const char* name : {"c", "a", "b"}) {
    HostRow host;
    host.name = name;
    host.zone = "z1";
    host.traits = {"AVX"};
    changes.emplace_back(host);
  }
  const auto picture = picture_of(changes);
  PlacementRequest request;
  request.vm.only_hosts = {"b", "c", "b"};
  request.vm.ignore_hosts = {"gone", "a"};
  request.vm.zone = "z1";
  request.vm.traits = {"AVX", "SGX"};
  request.vm.forbidden_traits = {"SGX"};
  const auto query = bind(request, request.vm, *picture, 42);
  ASSERT_TRUE(query);
  std::vector<std::uint32_t> only = {picture->find_host("b"), picture->find_host("c")};
  std::sort(only.begin(), only.end());
  EXPECT_EQ(query->only_hosts, only);
  EXPECT_EQ(query->ignored_hosts, std::vector{picture->find_host("a")});
  EXPECT_EQ(query->zone_code, picture->find_code("z1"));
  EXPECT_EQ(query->trait_codes, (std::vector{picture->find_code("AVX"), kNoRow}));
  EXPECT_EQ(query->forbidden_codes, std::vector{kNoRow});
  EXPECT_EQ(query->now_us, 42);
}

}  // namespace
}  // namespace emplace
