#include "bench/clusters.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <map>
#include <random>

#include "service/core/change.h"
#include "service/core/clones.h"

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
    const std::uint32_t host = static_cast<std::uint32_t>(i);
    const double used = static_cast<double>(i * 37 % 48);
    builder.set(hosts::vcpus_used, host, used);
    builder.set(hosts::memory_used_mib, host, used * 4096);
    builder.set(hosts::disk_used_gib, host, used * 20);
  }
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
