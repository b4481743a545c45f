#include "cli/check/requests.h"

#include <fmt/format.h>

namespace emplace::check {
namespace {

template <std::size_t N>
const char* one_of(Random& random, const char* const (&choices)[N]) {
  return choices[below(random, N)];
}

// A versioned object as oslo writes it.
std::string object(const char* name, const std::string& fields) {
  return fmt::format(R"({{"nova_object.name":"{}","nova_object.namespace":"nova","nova_object.data":{{{}}}}})", name,
                     fields);
}

std::string flavor(Random& random) {
  constexpr const char* kSpecs[] = {"",
                                    R"("capabilities:hypervisor_type":"QEMU")",
                                    R"("capabilities:hypervisor_type":"<or> xen <or> QEMU")",
                                    R"("capabilities:free_ram_mb":">= 8192")",
                                    R"("capabilities:stats:num_vms":"< 10")",
                                    R"("capabilities:cpu_allocation_ratio":"4.0")"};
  const std::uint64_t vcpus = 1 + below(random, 8), memory_mb = 512 * (1 + below(random, 64));
  return object("Flavor", fmt::format(R"("vcpus":{},"memory_mb":{},"root_gb":10,"ephemeral_gb":0,"swap":0,"name":"f",)"
                                      R"("extra_specs":{{{}}})",
                                      vcpus, memory_mb, one_of(random, kSpecs)));
}

std::string image(Random& random) {
  constexpr const char* kProperties[] = {"", R"("hw_architecture":"x86_64")", R"("hw_architecture":"aarch64")",
                                         R"("img_hv_type":"kvm","hw_vm_mode":"hvm")",
                                         R"("img_hv_requested_version":">=6.2.0")"};
  return object("ImageMeta", R"("properties":)" + object("ImageMetaProps", one_of(random, kProperties)));
}

std::string group(Random& random, std::uint32_t vms) {
  constexpr const char* kPolicies[] = {"affinity", "anti-affinity", "soft-affinity"};
  std::string members;
  for (std::uint64_t i = below(random, 4); i-- > 0;) {
    members += fmt::format(R"({}"{}")", members.empty() ? "" : ",", to_string(vm_id(below(random, vms + 1))));
  }
  const char* policy = one_of(random, kPolicies);
  return object("InstanceGroup", fmt::format(R"("policy":"{}","policies":["{}"],"members":[{}],"hosts":["h{}"],)"
                                             R"("_rules":{{"max_server_per_host":"{}"}})",
                                             policy, policy, members, below(random, 4), 1 + below(random, 2)));
}

std::string nova_request(Random& random, std::uint32_t vms) {
  std::string fields = fmt::format(R"("instance_uuid":"{}","project_id":"p1","num_instances":1)",
                                   to_string(vm_id(below(random, vms + 5))));
  fields += R"(,"flavor":)" + flavor(random);
  fields += R"(,"image":)" + image(random);
  if (one_in(random, 2)) fields += R"(,"instance_group":)" + group(random, vms);
  return R"({"request_spec":)" + object("RequestSpec", fields) + "}";
}

std::string own_request(Random& random, std::uint32_t vms) {
  const std::uint64_t vm = below(random, vms + 5);
  std::string body = fmt::format(R"({{"vm":{{"name":"{}","vcpus":{})", vm_name(vm), 1 + below(random, 16));
  body += fmt::format(R"(,"memory_mib":{})", 512 * (1 + below(random, 128)));
  body += fmt::format(R"(,"disk_gib":{})", 10 * below(random, 20));
  if (one_in(random, 2)) body += fmt::format(R"(,"id":"{}")", to_string(vm_id(vm)));
  if (one_in(random, 2)) body += fmt::format(R"(,"group":"g{}")", below(random, kGroups));
  if (one_in(random, 4)) body += fmt::format(R"(,"zone":"z{}")", below(random, 3));
  if (one_in(random, 4)) body += R"(,"traits":["HW_CPU_X86_AVX2"])";
  if (one_in(random, 4)) body += R"(,"numa_nodes":2)";
  if (one_in(random, 4)) body += R"(,"project":"p1","image":"debian","flavor":"large")";
  return body + "}}";
}

}  // namespace

std::vector<std::string> random_requests(Random& random, std::uint32_t vms, std::size_t count) {
  std::vector<std::string> requests;
  while (requests.size() < count) {
    requests.push_back(requests.size() % 3 == 2 ? nova_request(random, vms) : own_request(random, vms));
  }
  return requests;
}

}  // namespace emplace::check
