// What the benchmarks of a decision share: pictures of generated clusters, kept for the whole run, and requests.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "service/core/picture/picture.h"
#include "service/core/request/request.h"

namespace emplace {

// Hosts of three sizes, filled to different degrees, in four zones and one rack per forty.
const Picture& picture_of(std::int64_t hosts);

// The cluster of Nova's own benchmark, as Nova reports it: each host with its nova_state (service, supported instances,
// stats), some in an aggregate that sets a multiplier, one of 64 switched off. `now_us`: when the services were heard
// from.
const Picture& nova_picture_of(std::int64_t hosts);
// The same with what its 19 filters look at: two NUMA cells a host, zones, limits and keys of aggregates, and five vms
// of a group on the first five hosts.
const Picture& nova_numa_picture_of(std::int64_t hosts);
inline constexpr std::int64_t kNovaNowUs = 1'795'250'230'000'000;  // 2026-11-21T08:37:10Z

PlacementRequest request_for(double vcpus, double memory_mib, double disk_gib);
// A RequestSpec with an image that asks for an architecture and a hypervisor.
PlacementRequest nova_request();
// One with pinned cores in one NUMA cell, in a zone, on hosts with an aggregate's key, apart from the vms of its group.
PlacementRequest nova_numa_request();

// A NUMA cell of 16 cores with two threads each, as libvirt reports it: the first `used` CPUs are pinned, each with
// 4 GiB. huge_pages: of 2 MiB, of which each pinned CPU uses 500.
std::string nova_cell(int id, std::int64_t used, std::int64_t huge_pages);
inline constexpr int kCellCores = 16, kCellCpus = 2 * kCellCores;
// 1,2,3 for (1, 3).
std::string numbers(int first, int count);

// Times a loop that adds up these columns and does nothing else: what a decision can't be faster than.
void read_all(benchmark::State& state, const Picture& picture, std::span<const Column<double>> columns);

// s_per_host, from range(0).
void set_rates(benchmark::State& state);

}  // namespace emplace
