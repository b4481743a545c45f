// What the picture costs at 10,000 hosts and 100,000 vms: publishing one change, a batch of claims, taking the newest
// version, building it all at start-up, and its memory.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <array>
#include <memory>
#include <thread>
#include <vector>

#include "service/core/change/change.h"
#include "service/core/picture/picture.h"

namespace emplace {
namespace {

constexpr std::uint32_t kHosts = 10'000;
constexpr std::uint32_t kVms = 100'000;

Uuid numbered(std::uint64_t kind, std::uint64_t n) {
  Uuid id;
  for (std::size_t i = 0; i < 8; ++i) id.bytes[15 - i] = static_cast<std::uint8_t>(n >> (8 * i));
  id.bytes[0] = static_cast<std::uint8_t>(kind);
  return id;
}

HostRow host_row(std::uint32_t i) {
  HostRow row;
  row.name = fmt::format("host-{}", i);
  row.zone = fmt::format("zone-{}", i % 4);
  row.rack = fmt::format("rack-{}", i / 40);
  row.aggregates = {fmt::format("aggregate-{}", i % 20)};
  row.traits = {"HW_CPU_X86_AVX2", "COMPUTE_STATUS_ENABLED", fmt::format("CUSTOM_{}", i % 16)};
  row.vcpus = 64;
  row.memory_mib = 262'144;
  row.disk_gib = 4'000;
  row.memory_reserved_mib = 4'096;
  row.cpu_allocation_ratio = 4;
  row.cells = {{32, 131'072}, {32, 131'072}};
  row.cpu_util = 0.25;
  row.memory_used_observed_mib = 100'000;
  row.power_watts = 210;
  row.observed_at_us = 1'700'000'000'000'000;
  return row;
}

VmRow vm_row(std::uint32_t i) {
  VmRow row;
  row.id = numbered(1, i);
  row.name = fmt::format("vm-{}", i);
  row.host = fmt::format("host-{}", i % kHosts);
  row.state = VmState::kRunning;
  row.project = fmt::format("project-{}", i % 500);
  if (i % 10 == 0) row.group = fmt::format("group-{}", i / 10 % 1000);
  row.vcpus = 2;
  row.memory_mib = 4'096;
  row.disk_gib = 20;
  if (i % 8 == 0) {
    row.numa_nodes = 1;
    row.cells = {i / 8 % 2};
  }
  return row;
}

VmRow claim_row(std::uint32_t i) {
  VmRow row = vm_row(i);
  row.id = numbered(2, i);
  row.name = fmt::format("claimed-{}", i);
  row.host = fmt::format("host-{}", i * 7919 % kHosts);
  row.state = VmState::kClaimed;
  row.claim = numbered(3, i);
  return row;
}

std::vector<Change> whole_cluster() {
  std::vector<Change> changes;
  for (std::uint32_t i = 0; i < 1000; ++i) changes.emplace_back(GroupRow{fmt::format("group-{}", i)});
  for (std::uint32_t i = 0; i < kHosts; ++i) changes.emplace_back(host_row(i));
  for (std::uint32_t i = 0; i < kVms; ++i) changes.emplace_back(vm_row(i));
  return changes;
}

std::shared_ptr<const Picture> build(const std::vector<Change>& changes) {
  auto arena = Arena::create().value();
  PictureBuilder builder(std::make_shared<const Picture>(std::move(arena)));
  for (const Change& change : changes) apply(builder, change);
  return builder.finish({"bench", 1, 0}, 0);
}

const std::shared_ptr<const Picture>& cluster() {
  static const auto picture = build(whole_cluster());
  return picture;
}

// Publishes what `change` makes of the newest picture, over and over.
template <typename ChangePicture>
void publish_repeatedly(benchmark::State& state, ChangePicture&& change_picture) {
  PublishedPicture published(cluster());
  std::uint32_t i = 0;
  for (auto _ : state) {
    PictureBuilder builder(published.take());
    change_picture(builder, i++);
    published.publish(builder.finish({"bench", i, 0}, i));
  }
}

void publish_observed_host(benchmark::State& state) {
  publish_repeatedly(state, [](PictureBuilder& builder, std::uint32_t i) {
    HostRow row = host_row(i * 7919 % kHosts);
    row.cpu_util = 0.001 * (i % 1000);
    row.memory_used_observed_mib = 100'000 + i % 1000;
    row.power_watts = 200 + i % 100;
    row.observed_at_us += i + 1;
    apply(builder, row);
  });
}
BENCHMARK(publish_observed_host)->Unit(benchmark::kMicrosecond);

void publish_observed_values_only(benchmark::State& state) {
  publish_repeatedly(state, [](PictureBuilder& builder, std::uint32_t i) {
    const std::uint32_t host = i * 7919 % kHosts;
    builder.set(hosts::cpu_util, host, 0.001 * (i % 1000), i);
    builder.set(hosts::memory_used_observed_mib, host, 100'000 + i % 1000, i);
    builder.set(hosts::power_watts, host, 200 + i % 100, i);
  });
}
BENCHMARK(publish_observed_values_only)->Unit(benchmark::kMicrosecond);

// A claim and, in the next publication, its end, so that the table does not grow with the number of iterations.
void publish_claims(benchmark::State& state) {
  const auto batch = static_cast<std::uint32_t>(state.range(0));
  publish_repeatedly(state, [&](PictureBuilder& builder, std::uint32_t i) {
    const std::uint32_t first = i / 2 * batch % kVms;
    for (std::uint32_t k = first; k < first + batch; ++k) {
      const VmRow row = claim_row(k);
      if (i % 2 == 0) {
        apply(builder, row);
      } else {
        apply(builder, VmRemoved{row.id, row.claim});
      }
    }
  });
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(publish_claims)->Arg(1)->Arg(64)->Unit(benchmark::kMicrosecond);

// One vm's page sample in a table where every vm has one.
void publish_page_sample(benchmark::State& state) {
  static const auto sampled = [] {
    PictureBuilder builder(cluster());
    for (std::uint32_t i = 0; i < kVms; ++i) builder.set(vms::page_samples, i, std::array<std::uint64_t, 1>{i}, 1);
    return builder.finish({"bench", 2, 0}, 0);
  }();
  PublishedPicture published(sampled);
  std::uint32_t i = 0;
  for (auto _ : state) {
    PictureBuilder builder(published.take());
    builder.set(vms::page_samples, i * 7919 % kVms, std::array<std::uint64_t, 1>{i}, i);
    ++i;
    published.publish(builder.finish({"bench", i, 0}, i));
  }
}
BENCHMARK(publish_page_sample)->Unit(benchmark::kMicrosecond);

// As many data sources of one vm, once more with other rates; s_per_change says whether that is in proportion.
void apply_data_sources(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  std::vector<Change> changes;
  for (std::uint32_t i = 0; i < 2 * count; ++i) {
    changes.emplace_back(DataSourceRow{"vm", fmt::format("source-{}", i % count), 1.0 + i, 1});
  }
  for (auto _ : state) benchmark::DoNotOptimize(build(changes));
  state.counters["s_per_change"] =
      benchmark::Counter(static_cast<double>(changes.size()) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(apply_data_sources)->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMillisecond);

// Hosts in an aggregate each, which then goes.
void remove_aggregates(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  std::vector<Change> changes;
  for (std::uint32_t i = 0; i < count; ++i) {
    HostRow row = host_row(i);
    row.aggregates = {fmt::format("of-{}", i)};
    changes.emplace_back(std::move(row));
  }
  const auto picture = build(changes);
  for (auto _ : state) {
    PictureBuilder builder(picture);
    for (std::uint32_t i = 0; i < count; ++i) apply(builder, AggregateRemoved{fmt::format("of-{}", i)});
  }
  state.counters["s_per_change"] =
      benchmark::Counter(static_cast<double>(count) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(remove_aggregates)->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMillisecond);

void take_newest(benchmark::State& state) {
  static PublishedPicture published(cluster());
  for (auto _ : state) benchmark::DoNotOptimize(published.take());
}
BENCHMARK(take_newest)->ThreadRange(1, 2);

void build_cluster(benchmark::State& state) {
  const std::vector<Change> changes = whole_cluster();
  for (auto _ : state) benchmark::DoNotOptimize(build(changes));
}
BENCHMARK(build_cluster)->Unit(benchmark::kMillisecond);

// Bytes of the arena: per host of a cluster of hosts only, and per vm of what vms add to it.
void memory(benchmark::State& state) {
  std::vector<Change> hosts_only;
  for (std::uint32_t i = 0; i < kHosts; ++i) hosts_only.emplace_back(host_row(i));
  for (auto _ : state) {
    const auto picture = build(hosts_only);
    const auto of_hosts = static_cast<double>(picture->arena()->bytes_in_use());
    const auto of_all = static_cast<double>(cluster()->arena()->bytes_in_use());
    state.counters["bytes_per_host"] = of_hosts / kHosts;
    state.counters["bytes_per_vm"] = (of_all - of_hosts) / kVms;
    state.counters["MiB_in_all"] = of_all / (1 << 20);
  }
}
BENCHMARK(memory)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace emplace
