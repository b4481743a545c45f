#include "bench/clusters.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include "service/core/base/clones.h"
#include "service/core/change/change.h"

namespace emplace {
namespace {

std::shared_ptr<const Picture> make_picture(std::int64_t hosts) {
  constexpr std::uint64_t kSeed = 7;
  std::mt19937_64 random(kSeed);
  PictureBuilder builder(std::make_shared<Picture>(*Arena::create()));
  for (std::int64_t i = 0; i < hosts; ++i) {
    HostRow row;
    row.name = fmt::format("host-{}", i);
    row.zone = fmt::format("zone-{}", i % 4);
    row.rack = fmt::format("rack-{}", i / 40);
    row.vcpus = static_cast<double>(32 << (random() % 3));
    row.memory_mib = row.vcpus * 4096;
    row.disk_gib = row.vcpus * 20;
    row.cpu_allocation_ratio = 2;
    apply(builder, row);
    const std::uint32_t host = static_cast<std::uint32_t>(i);
    const auto use = [&](Column<double> used, Column<double> free, Column<double> capacity) {
      const double all = *builder.get(capacity, host);
      const double taken = std::floor(all * static_cast<double>(random() % 1000) / 1000);
      builder.set(used, host, taken);
      builder.set(free, host, all - taken);
    };
    use(hosts::vcpus_used, hosts::vcpus_free, hosts::vcpus_capacity);
    use(hosts::memory_used_mib, hosts::memory_free_mib, hosts::memory_capacity_mib);
    use(hosts::disk_used_gib, hosts::disk_free_gib, hosts::disk_capacity_gib);
  }
  return builder.finish({"bench", 1, 0}, 0);
}

std::string nova_state(std::int64_t i) {
  const std::int64_t used = i % 48;
  return fmt::format(
      R"({{"hypervisor_type":"QEMU","hypervisor_version":{},"hypervisor_hostname":"cmp{:05}.example.org",)"
      R"("host_ip":"10.{}.{}.{}","supported_instances":[["x86_64","qemu","hvm"],["x86_64","kvm","hvm"]],)"
      R"("disk_available_least":{},"num_io_ops":{},"failed_builds":0,"stats":{{"num_instances":"{}","io_workload":"{}"}},)"
      R"("cpu_info":{{"arch":"x86_64","model":"Cascadelake-Server","vendor":"Intel"}},)"
      R"("service":{{"disabled":false,"forced_down":false,"last_seen_up":"2026-11-21T08:37:{:02}.000000"}}}})",
      7002000 + i % 3, i, i >> 16 & 255, i >> 8 & 255, i & 255, 4000 - used * 20, i % 4, used / 2, i % 4, i % 10);
}

void set_use(PictureBuilder& builder, std::int64_t i) {
  const std::uint32_t host = static_cast<std::uint32_t>(i);
  const double used = static_cast<double>(i * 37 % 48);
  builder.set(hosts::vcpus_used, host, used);
  builder.set(hosts::memory_used_mib, host, used * 4096);
  builder.set(hosts::disk_used_gib, host, used * 20);
}

std::shared_ptr<const Picture> make_nova_picture(std::int64_t hosts) {
  PictureBuilder builder(std::make_shared<Picture>(*Arena::create()));
  apply(builder, AggregateRow{"gen2", {{"cpu_weight_multiplier", "1.5"}}});
  for (int zone = 0; zone < 3; ++zone) apply(builder, AggregateRow{fmt::format("az{}", zone), {}});
  for (std::int64_t i = 0; i < hosts; ++i) {
    HostRow row;
    row.name = fmt::format("cmp{:05}", i);
    row.source = "openstack";
    row.aggregates = {fmt::format("az{}", i % 3)};
    if (i % 2 == 0) row.aggregates.emplace_back("gen2");
    if (i % 64 == 63) row.state = HostState::kDisabled;
    row.vcpus = 64;
    row.memory_mib = 524288;
    row.disk_gib = 4000;
    row.cpu_allocation_ratio = 4;
    row.nova_state = nova_state(i);
    apply(builder, row);
    set_use(builder, i);
  }
  return builder.finish({"bench", 1, 0}, 0);
}

constexpr int kGroupVms = 5;
Uuid group_vm(int i) { return *parse_uuid(fmt::format("5b7b8d7e-6d3d-4c2e-9a0a-0000000000{:02}", i)); }

// The aggregates of a host, which it takes from its place among all.
std::vector<std::string> aggregates_of(std::int64_t i, std::int64_t hosts) {
  std::vector<std::string> aggregates{fmt::format("az{}", i % 3), fmt::format("rack{}", i % 7)};
  if (i % 2 == 0) aggregates.emplace_back("gen2");
  if (i < hosts * 3 / 4) aggregates.emplace_back("ssd");
  return aggregates;
}

std::shared_ptr<const Picture> make_nova_numa_picture(std::int64_t hosts) {
  PictureBuilder builder(std::make_shared<Picture>(*Arena::create()));
  apply(builder, AggregateRow{"ssd", {{"ssd", "true"}, {"max_io_ops_per_host", "20"}}});
  apply(builder, AggregateRow{"gen2", {{"cpu_weight_multiplier", "1.5"}, {"max_instances_per_host", "80"}}});
  for (int i = 0; i < 3; ++i)
    apply(builder, AggregateRow{fmt::format("az{}", i), {{"availability_zone", fmt::format("az{}", i)}}});
  for (int i = 0; i < 7; ++i) apply(builder, AggregateRow{fmt::format("rack{}", i), {{"rack", fmt::format("r{}", i)}}});
  for (std::int64_t i = 0; i < hosts; ++i) {
    HostRow row;
    row.name = fmt::format("cmp{:05}", i);
    row.source = "openstack";
    row.zone = fmt::format("az{}", i % 3);
    row.aggregates = aggregates_of(i, hosts);
    row.vcpus = 64;
    row.memory_mib = 524288;
    row.disk_gib = 4000;
    row.cpu_allocation_ratio = 4;
    row.nova_state = fmt::format(R"({{"numa_topology":{{"nova_object.data":{{"cells":[{},{}]}}}},"pci_stats":null,{})",
                                 nova_cell(0, i * 7 % 9, 0), nova_cell(1, i * 11 % 9, 0), nova_state(i).substr(1));
    apply(builder, row);
    set_use(builder, i);
  }
  for (int i = 0; i < kGroupVms; ++i)
    apply(builder, VmRow{.id = group_vm(i),
                         .name = fmt::format("web{}", i),
                         .host = fmt::format("cmp{:05}", i),
                         .state = VmState::kRunning,
                         .source = "openstack"});
  return builder.finish({"bench", 1, 0}, 0);
}

const Picture& kept(std::map<std::int64_t, std::shared_ptr<const Picture>>& pictures, std::int64_t hosts,
                    std::shared_ptr<const Picture> (*make)(std::int64_t)) {
  auto& picture = pictures[hosts];
  if (!picture) picture = make(hosts);
  return *picture;
}

constexpr std::size_t kLanes = 32;

EMPLACE_CLONES void add_chunk(const double* values, double* sums) {
  for (std::size_t i = 0; i < kChunkRows; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += values[i + lane];
  }
}

}  // namespace

const Picture& picture_of(std::int64_t hosts) {
  static std::map<std::int64_t, std::shared_ptr<const Picture>> pictures;
  return kept(pictures, hosts, make_picture);
}

const Picture& nova_picture_of(std::int64_t hosts) {
  static std::map<std::int64_t, std::shared_ptr<const Picture>> pictures;
  return kept(pictures, hosts, make_nova_picture);
}

const Picture& nova_numa_picture_of(std::int64_t hosts) {
  static std::map<std::int64_t, std::shared_ptr<const Picture>> pictures;
  return kept(pictures, hosts, make_nova_numa_picture);
}

std::string numbers(int first, int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), first);
  return fmt::format("{}", fmt::join(all, ","));
}

std::string nova_cell(int id, std::int64_t used, std::int64_t huge_pages) {
  constexpr std::int64_t kMiB = 262144;
  const int first = id * kCellCpus;
  std::string siblings;
  for (int core = 0; core < kCellCores; ++core)
    siblings += fmt::format("{}[{}]", core ? "," : "", numbers(first + 2 * core, 2));
  return fmt::format(
      R"({{"nova_object.data":{{"id":{},"cpuset":[{}],"pcpuset":[{}],"memory":{},"cpu_usage":{},"memory_usage":{},)"
      R"("pinned_cpus":[{}],"siblings":[{}],"socket":{},"mempages":[)"
      R"({{"nova_object.data":{{"size_kb":4,"total":{},"used":0,"reserved":0}}}},)"
      R"({{"nova_object.data":{{"size_kb":2048,"total":{},"used":{},"reserved":0}}}}]}}}})",
      id, numbers(first, kCellCpus), numbers(first, kCellCpus), kMiB, used, used * 4096,
      numbers(first, static_cast<int>(used)), siblings, id, (kMiB - 2 * huge_pages) * 256, huge_pages,
      huge_pages > 0 ? used * 500 : 0);
}

PlacementRequest request_for(double vcpus, double memory_mib, double disk_gib) {
  PlacementRequest request;
  request.vm.name = "vm";
  request.vm.vcpus = vcpus;
  request.vm.memory_mib = memory_mib;
  request.vm.disk_gib = disk_gib;
  return request;
}

PlacementRequest nova_request() {
  PlacementRequest request = request_for(4, 8192, 80);
  request.vm.nova_spec =
      R"({"nova_object.name":"RequestSpec","nova_object.data":{"instance_uuid":"5b7b8d7e-6d3d-4c2e-9a0a-0c7b1d2e3f40",)"
      R"("flavor":{"nova_object.data":{"vcpus":4,"memory_mb":8192,"root_gb":80,"extra_specs":{}}},)"
      R"("image":{"nova_object.data":{"properties":{"nova_object.data":{"hw_architecture":"x86_64",)"
      R"("img_hv_type":"qemu"}}}},"scheduler_hints":{},"instance_group":null}})";
  return request;
}

PlacementRequest nova_numa_request() {
  std::vector<std::string> members;
  for (int i = 0; i < kGroupVms; ++i) members.push_back('"' + to_string(group_vm(i)) + '"');
  PlacementRequest request = request_for(4, 8192, 80);
  request.vm.nova_spec = fmt::format(
      R"({{"nova_object.name":"RequestSpec","nova_object.data":{{"instance_uuid":"5b7b8d7e-6d3d-4c2e-9a0a-0c7b1d2e3f40",)"
      R"("availability_zone":"az1","project_id":"proj",)"
      R"("flavor":{{"nova_object.data":{{"vcpus":4,"memory_mb":8192,"root_gb":80,"extra_specs":{{)"
      R"("aggregate_instance_extra_specs:ssd":"true","capabilities:hypervisor_type":"s== QEMU",)"
      R"("hw:cpu_policy":"dedicated","hw:numa_nodes":"1"}}}}}},)"
      R"("image":{{"nova_object.data":{{"properties":{{"nova_object.data":{{"hw_architecture":"x86_64",)"
      R"("img_hv_type":"qemu"}}}}}}}},"scheduler_hints":{{}},)"
      R"("numa_topology":{{"nova_object.data":{{"cells":[{{"nova_object.data":{{"id":0,"cpuset":[],"pcpuset":[0,1,2,3],)"
      R"("memory":8192,"pagesize":null,"cpu_policy":"dedicated","cpu_thread_policy":null}}}}]}}}},)"
      R"("instance_group":{{"nova_object.data":{{"uuid":"5b7b8d7e-6d3d-4c2e-9a0a-000000000099","name":"web",)"
      R"("policies":["anti-affinity"],"policy":"anti-affinity","rules":{{}},"hosts":[],"members":[{}]}}}}}}}})",
      fmt::join(members, ","));
  return request;
}

void read_all(benchmark::State& state, const Picture& picture, std::span<const Column<double>> columns) {
  const std::size_t chunks = (picture.rows(Table::kHosts) + kChunkRows - 1) / kChunkRows;
  for (auto _ : state) {
    std::array<double, kLanes> sums{};
    for (const auto column : columns) {
      for (std::size_t chunk = 0; chunk < chunks; ++chunk) add_chunk(picture[column].values(chunk), sums.data());
    }
    benchmark::DoNotOptimize(sums);
  }
  set_rates(state);
}

void set_rates(benchmark::State& state) {
  state.counters["s_per_host"] = benchmark::Counter(
      static_cast<double>(state.range(0)), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

}  // namespace emplace
