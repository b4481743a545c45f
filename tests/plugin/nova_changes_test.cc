// Nova's rules keep an index per picture and derive it from the one before. Whatever changed in whatever order, they
// answer as they do on the same picture made from nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/plugin/asking_nova.h"

namespace emplace {
namespace {

using asking::Asked;
using asking::nova;
using testing_rows::empty_picture;
using testing_rows::picture_of;
using testing_rows::with_changes;

constexpr const char* kFilters[] = {"AvailabilityZoneFilter",
                                    "AggregateMultiTenancyIsolation",
                                    "AggregateTypeAffinityFilter",
                                    "AggregateInstanceExtraSpecsFilter",
                                    "AggregateIoOpsFilter",
                                    "AggregateNumInstancesFilter",
                                    "ComputeFilter",
                                    "SameHostFilter"};
constexpr const char* kWeighers[] = {"RAMWeigher", "IoOpsWeigher", "NumInstancesWeigher", "BuildFailureWeigher",
                                     "PCIWeigher"};

VmRequest asked_vm() {
  VmRequest made = asking::request();
  made.nova_spec = R"({"nova_object.data":{"availability_zone":"z1","project_id":"p1",
      "flavor":{"nova_object.data":{"name":"f1","extra_specs":{"aggregate_instance_extra_specs:k":">= 3"}}},
      "scheduler_hints":{"same_host":[")" +
                   to_string(testing_rows::numbered(1)) + R"("]}}})";
  return made;
}

class Cluster {
 public:
  explicit Cluster(unsigned seed) : random_(seed) {}

  // One random row, new or in the place of the one of its name.
  Change change() {
    switch (below(4)) {
      case 0:
        return rows_.insert_or_assign("aggregate " + letter(), Change(aggregate())).first->second;
      case 1:
        return rows_.insert_or_assign("vm", Change(asking::vm(1, host_name()))).first->second;
      case 2:
        return rows_.insert_or_assign("vm's claim", Change(claim())).first->second;
      default:
        return rows_.insert_or_assign("host " + std::to_string(last_), Change(host())).first->second;
    }
  }
  // Every host and aggregate there is, so that later rows may name them.
  std::vector<Change> start() {
    for (last_ = 0; last_ < 4; ++last_) rows_.insert_or_assign("aggregate " + letter(), Change(aggregate()));
    for (last_ = 0; last_ < 6; ++last_) rows_.insert_or_assign("host " + std::to_string(last_), Change(host()));
    return rows();
  }
  std::vector<Change> rows() const {
    std::vector<Change> all;
    for (const auto& [name, row] : rows_) all.push_back(row);
    return all;
  }
  void next() { last_ = below(6); }

 private:
  unsigned below(unsigned end) { return std::uniform_int_distribution<unsigned>(0, end - 1)(random_); }
  std::string letter() const { return std::string(1, static_cast<char>('a' + last_ % 4)); }
  std::string host_name() const { return "h" + std::to_string(last_); }

  AggregateRow aggregate() {
    const std::pair<const char*, std::vector<const char*>> known[] = {{"availability_zone", {"z1", "z2"}},
                                                                      {"filter_tenant_id", {"p1", "p2"}},
                                                                      {"instance_type", {"f1", "f2"}},
                                                                      {"max_io_ops_per_host", {"2", "x"}},
                                                                      {"k", {"3", "1"}},
                                                                      {"max_instances_per_host", {"1", "9"}},
                                                                      {"ram_weight_multiplier", {"2", "-1"}}};
    AggregateRow row{letter(), {}};
    for (const auto& [key, values] : known) {
      if (below(3) == 0) row.metadata[key] = values[below(2)];
    }
    return row;
  }
  VmRow claim() {
    VmRow row = asking::vm(2, host_name());
    row.state = below(2) ? VmState::kClaimed : VmState::kStarting;
    row.claim = testing_rows::numbered(3);
    if (below(2)) row.takes = R"([["pci/0/-,vendor_id=1",)" + std::to_string(1 + below(2)) + ",2]]";
    return row;
  }
  HostRow host() {
    HostRow row = asking::host(host_name(), 1024 * (1 + below(4)));
    for (const char* name : {"a", "b", "c", "d"}) {
      if (below(3) == 0) row.aggregates.emplace_back(name);
    }
    if (below(2)) row.zone = below(2) ? "z1" : "z2";
    row.nova_state = R"({"stats":{"io_workload":")" + std::to_string(below(5)) + R"(","failed_builds":")" +
                     std::to_string(below(3)) + R"("},"service":{"disabled":)" + (below(4) ? "false" : "true") +
                     R"(,"last_seen_up":"1970-01-01T00:00:00"})" +
                     (below(2) ? R"(,"num_instances":)" + std::to_string(below(4)) : "") +
                     (below(2) ? R"(,"pci_stats":[{"vendor_id":"1","count":2}])" : "") + "}";
    return row;
  }

  std::mt19937 random_;
  unsigned last_ = 0;
  std::map<std::string, Change> rows_;  // aggregates, then hosts, then vms
};

std::map<std::string, std::string> answers(const std::shared_ptr<const Picture>& picture) {
  const Asked asked(picture, asked_vm());
  std::map<std::string, std::string> by_rule;
  for (const char* id : kFilters) {
    const auto screened = asking::screen(nova().filter(id), asked);
    auto names = screened.kept;
    std::ranges::sort(names);
    for (const std::string& name : names) by_rule[id] += name + " ";
    if (!screened.done) by_rule[id] = screened.done.error().message;
  }
  for (const char* id : kWeighers) {
    const auto hosts = asked.hosts();
    const auto weights = nova().weigher(id).weigh(*asked.query, hosts).value();
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const double times = weights.multipliers.empty() ? 0 : weights.multipliers[i];
      const std::string name((*picture)[hosts::name][hosts[i]]);
      by_rule[id + (" " + name)] =
          std::to_string(weights.raw[weights.raw.size() == 1 ? 0 : i]) + " times " + std::to_string(times);
    }
  }
  return by_rule;
}

TEST(NovaIndex, AnswersAsOneMadeFromNothing) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Cluster cluster(seed);
    auto picture = picture_of(cluster.start());
    answers(picture);
    for (int step = 0; step < 40; ++step) {
      cluster.next();
      picture = with_changes(picture, {cluster.change()});
      ASSERT_EQ(answers(picture), answers(picture_of(cluster.rows()))) << "seed " << seed << ", step " << step;
    }
  }
}

}  // namespace
}  // namespace emplace
