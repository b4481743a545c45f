#include "service/openstack/candidates.h"

#include <gtest/gtest.h>

#include "service/core/request/request_json.h"
#include "tests/openstack/fake_cloud.h"

namespace emplace::openstack {
namespace {

VmRequest asked(const std::string& extra_specs) {
  const auto request = parse_placement(
      R"({"request_spec":{"nova_object.data":{"flavor":{"nova_object.data":{"vcpus":2,"memory_mb":512,"root_gb":1,)"
      R"("extra_specs":{)" +
      extra_specs + "}}}}}}");
  EXPECT_TRUE(request) << request.error().message;
  return request->vm;
}

TEST(CandidatesQuery, HasAGroupForEachSuffix) {
  EXPECT_EQ(candidates_query(request_groups(asked(""))), "limit=1000&resources=DISK_GB:1,MEMORY_MB:512,VCPU:2");
  const VmRequest vm = asked(
      R"("resources_A:VGPU":"1","trait_A:CUSTOM_X":"forbidden","resources_B:VCPU":"2","trait:CUSTOM_Y":"required")");
  EXPECT_TRUE(request_groups(vm).are_granular());
  EXPECT_EQ(candidates_query(request_groups(vm)),
            "group_policy=none&limit=1000&required=CUSTOM_Y&required_A=!CUSTOM_X&resources=DISK_GB:1,MEMORY_MB:512"
            "&resources_A=VGPU:1&resources_B=VCPU:2");
  EXPECT_FALSE(request_groups(asked(R"("resources:VGPU":"1","trait:CUSTOM_Y":"required")")).are_granular());
}

TEST(CandidatesQuery, IsAskedAgainWithSharedCores) {
  const VmRequest vm = asked(R"("hw:cpu_policy":"dedicated","hw:cpu_thread_policy":"require")");
  EXPECT_NE(candidates_query(request_groups(vm)).find("PCPU:2"), std::string::npos);
  EXPECT_EQ(candidates_query(with_shared_cores(vm).value()), "limit=1000&resources=DISK_GB:1,MEMORY_MB:512,VCPU:2");
  EXPECT_FALSE(with_shared_cores(asked(R"("resources:PCPU":"2")")));
  EXPECT_FALSE(with_shared_cores(asked("")));
}

TEST(CandidatesQuery, EncodesWhatIsNoName) {
  EXPECT_EQ(candidates_query(request_groups(asked(R"("trait:A&limit=9":"required")"))),
            "limit=1000&required=A%26limit%3D9&resources=DISK_GB:1,MEMORY_MB:512,VCPU:2");
}

TEST(CandidatesAnswer, GivesTheRootsOfItsProviders) {
  const auto read = read_candidates(R"({"allocation_requests":[
      {"allocations":{"00000000-0000-4000-8000-00000000000a":{"resources":{"VGPU":1}},
                      "00000000-0000-4000-8000-000000000002":{"resources":{"VCPU":1}}},"mappings":{}},
      {"allocations":{"00000000-0000-4000-8000-000000000001":{"resources":{"VCPU":1}}}}],
    "provider_summaries":{
      "00000000-0000-4000-8000-00000000000a":{"root_provider_uuid":"00000000-0000-4000-8000-000000000002"},
      "00000000-0000-4000-8000-000000000001":{"root_provider_uuid":"00000000-0000-4000-8000-000000000001"},
      "00000000-0000-4000-8000-000000000002":{"root_provider_uuid":"00000000-0000-4000-8000-000000000002"},
      "00000000-0000-4000-8000-000000000003":{"root_provider_uuid":"00000000-0000-4000-8000-000000000003"}}})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->providers, (std::vector{*parse_uuid("00000000-0000-4000-8000-000000000001"),
                                          *parse_uuid("00000000-0000-4000-8000-000000000002")}));
  EXPECT_FALSE(read->cut_off);
  for (const char* text :
       {"", "[]", "{}", R"({"allocation_requests":[]})", R"({"allocation_requests":[5],"provider_summaries":{}})"}) {
    EXPECT_FALSE(read_candidates(text)) << text;
  }
}

TEST(Candidates, AreAskedForWhenItIsWanted) {
  FakeCloud cloud(3, 0);
  Keystone keystone(cloud.web(), cloud.options(), wall_us, [](auto, auto) {});
  cloud.set(R"({"candidates":[1]})");
  const VmRequest plain = asked(""), granular = asked(R"("resources1:VGPU":"1")");
  Candidates never(keystone, AskPlacement::kNever), some(keystone, AskPlacement::kGranular),
      all(keystone, AskPlacement::kAlways);

  EXPECT_FALSE(*never.candidates(granular, in_ms(5000)));
  EXPECT_FALSE(*some.candidates(plain, in_ms(5000)));
  EXPECT_EQ((*some.candidates(granular, in_ms(5000)))->providers.size(), 1u);
  EXPECT_EQ((*all.candidates(plain, in_ms(5000)))->providers.size(), 1u);
  VmRequest ours;
  EXPECT_FALSE(*all.candidates(ours, in_ms(5000))) << "not of Nova's";

  cloud.set(R"({"fail":{"/placement/allocation_candidates":400}})");
  EXPECT_EQ(some.candidates(granular, in_ms(5000)).error().code, ErrorCode::kInvalid);
  cloud.set(R"({"fail":{"/placement/allocation_candidates":503}})");
  EXPECT_EQ(some.candidates(granular, in_ms(5000)).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace emplace::openstack
