#include "service/rest/destinations.h"

#include <gtest/gtest.h>

#include "service/core/request/request_json.h"
#include "tests/unit/cluster.h"
#include "tests/unit/fake_rules.h"

namespace emplace::http {
namespace {

// Deciding needs no door.
struct NoPictures : Pictures {
  std::shared_ptr<const Picture> latest() const override { return nullptr; }
  bool wait_for(std::int64_t, Deadline) const override { return false; }
  Result<std::shared_ptr<const Picture>> at(const PictureVersion&) const override { return nullptr; }
};
struct NoClaims : Claims {
  Result<ClaimsTaken> take(std::vector<ClaimOrder>, std::function<ClaimRecords(std::span<const Claim>)>,
                           Deadline) override {
    return ClaimsTaken();
  }
  Result<std::int64_t> confirm(const Uuid&, VmState, Deadline) override { return 0; }
  Result<std::int64_t> give_back(const Uuid&, std::string, Deadline) override { return 0; }
  Result<Claim> claim(const Uuid&, Deadline) override { return Claim(); }
};
struct NoHypervisors : Hypervisors {
  bool drives(const std::string&) const override { return false; }
  void start(StartOrder, Done) override {}
  void destroy(const std::string&, const Uuid&, std::optional<Uuid>, Done) override {}
  void shut_down(const std::string&, const Uuid&, Done) override {}
  void move(MoveOrder, std::function<void(const MoveProgress&)>, Done) override {}
  Result<std::vector<DomainSeen>> domains(const std::string&, Deadline) override { return {}; }
};

std::string spec_with(const std::string& fields) {
  return R"({"nova_object.data": {"flavor": {"nova_object.data": {"vcpus": 2, "memory_mb": 1}}, )"
         R"("instance_uuid": "00000000-0000-0000-0000-000000000009", "num_instances": 1)" +
         fields + "}}";
}

// The least used host first.
std::shared_ptr<const Rules> by_load() {
  Profile profile;
  profile.name = "load";
  profile.filters = {"capacity"};
  profile.objectives = {{.id = "resource.load", .resolution = 1e-9}};
  return std::make_shared<const Rules>(*resolve(profile, built_in_rules()));
}

HostRow in_cell(std::string name, double vcpus, const std::string& cell) {
  HostRow row = host(name, vcpus);
  row.nova_state = R"({"host": "nova-)" + name + '"' + (cell.empty() ? "" : R"(, "cell_uuid": ")" + cell + '"') + '}';
  return row;
}

class Selecting : public testing::Test {
 protected:
  void place(const std::vector<Change>& changes) {
    PictureBuilder builder(std::make_shared<Picture>(*Arena::create(std::uint64_t{1} << 30)));
    for (const Change& change : changes) emplace::apply(builder, change);
    picture_ = builder.finish({"test", 1, 0}, 0);
  }

  // Names of the hosts per instance, the first and its alternates, without blanks between.
  std::vector<std::string> select(std::uint8_t instances, std::uint32_t alternates, const std::string& fields = "") {
    auto request = parse_placement(R"({"request_spec": )" + spec_with(fields) + '}');
    EXPECT_TRUE(request) << request.error().message;
    request->options.count = instances;
    request->options.alternates = alternates;
    DestinationsWish wish{std::make_shared<const PlacementRequest>(*std::move(request))};
    for (std::uint8_t i = 1; i <= instances; ++i) wish.ids.push_back(uuid_of(i));
    made_ = *select_destinations(scheduler_, wish, rules_, picture_, 0);
    std::vector<std::string> names;
    for (const auto& selection : made_.selections) {
      names.emplace_back();
      for (const std::uint32_t row : selection) names.back() += (*picture_)[hosts::name][row];
    }
    return names;
  }

  NoPictures pictures_;
  NoClaims claims_;
  NoHypervisors hypervisors_;
  Scheduler scheduler_{pictures_, claims_, hypervisors_, {[] { return 0; }, [] { return 0; }, [] { return Uuid(); }}};
  std::shared_ptr<const Rules> rules_ = by_load();
  std::shared_ptr<const Picture> picture_;
  Destinations made_;
};

using Names = std::vector<std::string>;

TEST_F(Selecting, TakesAlternatesFromTheCellOfTheFirst) {
  place({in_cell("a", 90, "c1"), in_cell("b", 80, "c2"), in_cell("c", 70, "c1"), in_cell("d", 60, ""), host("e", 50),
         in_cell("f", 40, "c1")});

  EXPECT_EQ(select(1, 9), Names{"acf"});
  EXPECT_EQ(select(1, 1), Names{"ac"});
}

TEST_F(Selecting, TakesAlternatesFromAnywhereWhereTheCellIsNotKnown) {
  place({in_cell("a", 90, ""), in_cell("b", 80, "c2"), host("c", 70)});

  EXPECT_EQ(select(1, 9), Names{"abc"});
}

TEST_F(Selecting, FindsAlternatesBeyondTheHostsThatAreRankedAtFirst) {
  std::vector<Change> changes{in_cell("a", 999, "c1"), in_cell("z", 100, "c1"), in_cell("y", 101, "c1")};
  for (int i = 0; i < 300; ++i) changes.push_back(in_cell("b" + std::to_string(i), 200 + i, "c2"));
  place(changes);

  EXPECT_EQ(select(1, 2), Names{"ayz"});
}

TEST_F(Selecting, GivesSeveralInstancesTheirAlternatesByCellAndNoneThatWasSelected) {
  place({in_cell("a", 2, "c1"), in_cell("b", 2, "c2"), in_cell("c", 2, "c1"), in_cell("d", 2, "c2")});

  const Names names = select(3, 9);

  ASSERT_EQ(names.size(), 3u);
  std::string firsts, all = "abcd";
  for (const std::string& one : names) firsts += one.front();
  const char left = all[all.find_first_not_of(firsts)];
  for (const std::string& one : names) {
    const auto is_in_first_cell = [](char name) { return name == 'a' || name == 'c'; };
    EXPECT_EQ(one.substr(1), is_in_first_cell(left) == is_in_first_cell(one.front()) ? std::string(1, left) : "");
  }
}

TEST_F(Selecting, TellsEachInstanceOfTheOthersOfItsGroup) {
  place({in_cell("a", 90, ""), in_cell("b", 2, "")});
  std::vector<std::string> specs;
  select(2, 1, R"(, "instance_group": {"nova_object.data": {"policy": "affinity", "hosts": null}})");
  for (const Instance& one : made_.placement.instances) specs.push_back(one.vm.nova_spec);

  EXPECT_NE(specs[0].find(R"("instance_uuid":"00000000-0000-0000-0000-000000000001")"), std::string::npos);
  EXPECT_NE(specs[0].find(R"("hosts":[],"members":[])"), std::string::npos);
  EXPECT_NE(specs[1].find(R"("instance_uuid":"00000000-0000-0000-0000-000000000002")"), std::string::npos);
  EXPECT_NE(specs[1].find(R"("hosts":["nova-a"],"members":["00000000-0000-0000-0000-000000000001"])"),
            std::string::npos);
}

TEST_F(Selecting, AsksNoHostThatWasRefusedOnce) {
  place({in_cell("a", 9, ""), in_cell("b", 9, "")});
  int calls = 0;
  Rules rules = *rules_;
  // Refuses row 0 of the first instance only, which no filter of Nova's does.
  rules.filters.push_back(
      std::make_shared<FakeFilter>("fickle", [&](Candidates& kept, std::span<std::uint8_t> reasons) -> Result<void> {
        if (calls++ > 0) return {};
        kept.erase(0);
        reasons[0] = 1;
        return {};
      }));
  rules_ = std::make_shared<const Rules>(std::move(rules));

  EXPECT_EQ(select(2, 9), (Names{"b", "b"}));
}

TEST_F(Selecting, NamesEachFailureOnce) {
  place({host("a"), host("b")});
  Rules rules = rules_with({failing_objective("broken")});
  rules.profile.name = "broken";
  rules_ = std::make_shared<const Rules>(std::move(rules));

  EXPECT_EQ(select(3, 1).size(), 3u);
  ASSERT_EQ(made_.degraded.size(), 1u);
  EXPECT_EQ(made_.degraded.front().plugin, "broken");
}

TEST(Selection, HasWhatIsKnownOfAHost) {
  HostRow known = host("a/n1");
  known.zone = "z1";
  known.cpu_allocation_ratio = 4;
  known.nova_state = R"({"host":"a","nodename":"n1","uuid":"u1","cell_uuid":"c1","numa_topology":{}})";
  HostRow odd = host("b");
  odd.nova_state = R"({"nodename":7})";
  const Cluster cluster({known, odd, host("c")});
  const auto written = [&](const char* name, bool numa_limits) {
    JsonWriter writer;
    write_selection(writer, cluster.picture(), cluster.row(name), numa_limits);
    return writer.take();
  };

  EXPECT_EQ(
      written("a/n1", true),
      R"({"host":"a/n1","service_host":"a","nodename":"n1","compute_node_uuid":"u1","cell_uuid":"c1",)"
      R"("availability_zone":"z1","limits":{"numa_topology":{"cpu_allocation_ratio":4,"ram_allocation_ratio":1}}})");
  EXPECT_EQ(written("b", false), R"({"host":"b","service_host":"b","limits":{}})");
  EXPECT_EQ(written("c", false), R"({"host":"c","service_host":"c","limits":{}})");
}

TEST(SpecOfInstance, KeepsWhatTheGroupHasAndEverythingElse) {
  const auto spec = *JsonDocument::parse(
      R"({"nova_object.name":"RequestSpec","nova_object.data":{"a":[1],"instance_uuid":"x","instance_group":)"
      R"({"nova_object.name":"InstanceGroup","nova_object.data":{"hosts":["h1"],"members":["m"],"policy":"p"}}}})");

  EXPECT_EQ(spec_of_instance(spec.root(), {{}, {{"h1", uuid_of(1)}, {"h2", uuid_of(2)}}}),
            R"({"nova_object.name":"RequestSpec","nova_object.data":{"a":[1],"instance_group":)"
            R"({"nova_object.name":"InstanceGroup","nova_object.data":{"policy":"p","hosts":["h1","h2"],"members":)"
            R"(["m","00000000-0000-0000-0000-000000000001","00000000-0000-0000-0000-000000000002"]}},)"
            R"("instance_uuid":null}})");
}

TEST(SpecOfInstance, LeavesASpecWithoutAGroupAsItIs) {
  const auto none = *JsonDocument::parse(R"({"nova_object.data":{"instance_group":null}})");
  const auto odd = *JsonDocument::parse(R"({"nova_object.data":{"instance_group":7}})");

  EXPECT_EQ(spec_of_instance(none.root(), {{}, {{"h1", uuid_of(1)}}}),
            R"({"nova_object.data":{"instance_group":null,"instance_uuid":null}})");
  EXPECT_EQ(spec_of_instance(odd.root(), {{}, {}}),
            R"({"nova_object.data":{"instance_group":7,"instance_uuid":null}})");
}

}  // namespace
}  // namespace emplace::http
