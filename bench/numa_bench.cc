// NUMATopologyFilter alone, on hosts as libvirt reports them: two NUMA cells of 16 cores with two threads each, small
// and huge pages, used to different degrees.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <map>
#include <memory>
#include <vector>

#include "bench/clusters.h"
#include "bench/nova_rules.h"
#include "service/core/change/change.h"
#include "service/core/decide/query.h"

namespace emplace {
namespace {

constexpr std::int64_t kHugePages = 16384;

std::shared_ptr<const Picture> make_picture(std::int64_t hosts) {
  PictureBuilder builder(std::make_shared<Picture>(*Arena::create()));
  for (std::int64_t i = 0; i < hosts; ++i) {
    HostRow row;
    row.name = fmt::format("cmp{:05}", i);
    row.source = "openstack";
    row.vcpus = 2 * kCellCpus;
    row.memory_mib = 524288;
    row.disk_gib = 4000;
    row.nova_state =
        fmt::format(R"({{"numa_topology":{{"nova_object.data":{{"cells":[{},{}]}}}},"pci_stats":null}})",
                    nova_cell(0, i * 7 % kCellCpus, kHugePages), nova_cell(1, i * 11 % kCellCpus, kHugePages));
    apply(builder, row);
  }
  return builder.finish({"bench", 1, 0}, 0);
}

std::string guest_cell(int id, int cpus, const char* page_kib) {
  return fmt::format(
      R"({{"nova_object.data":{{"id":{},"cpuset":[],"pcpuset":[{}],"memory":8192,"pagesize":{},"cpu_policy":"dedicated",)"
      R"("cpu_thread_policy":"prefer"}}}})",
      id, numbers(id * cpus, cpus), page_kib);
}

PlacementRequest request_of(const std::string& cells) {
  PlacementRequest request = request_for(8, 16384, 80);
  request.vm.nova_spec = fmt::format(
      R"({{"nova_object.name":"RequestSpec","nova_object.data":{{"flavor":{{"nova_object.data":{{"vcpus":8,)"
      R"("memory_mb":16384,"root_gb":80,"extra_specs":{{"hw:cpu_policy":"dedicated"}}}}}},)"
      R"("numa_topology":{{"nova_object.data":{{"cells":[{}]}}}}}}}})",
      cells);
  return request;
}

void screen(benchmark::State& state, const PlacementRequest& request) {
  static std::map<std::int64_t, std::shared_ptr<const Picture>> pictures;
  auto& picture = pictures[state.range(0)];
  if (!picture) picture = make_picture(state.range(0));
  const Filter& filter = nova_filter("NUMATopologyFilter");
  const Query query = *bind(request, request.vm, *picture, kNovaNowUs);
  std::vector<std::uint8_t> reasons(picture->rows(Table::kHosts));
  const auto once = [&] {
    Candidates candidates(picture->rows(Table::kHosts));
    for (std::uint32_t row = 0; row < candidates.rows(); ++row) candidates.insert(row);
    const auto done = filter.screen(query, candidates, reasons);
    if (!done) state.SkipWithError(done.error().message.c_str());
    return candidates;
  };
  state.counters["kept"] = static_cast<double>(once().to_rows().size());  // the plugin has seen the picture
  for (auto _ : state) benchmark::DoNotOptimize(once());
  set_rates(state);
}

void screen_numa_one_cell(benchmark::State& state) { screen(state, request_of(guest_cell(0, 8, "null"))); }
BENCHMARK(screen_numa_one_cell)->RangeMultiplier(10)->Range(1000, 10000)->Unit(benchmark::kMicrosecond);

void screen_numa_two_cells_huge_pages(benchmark::State& state) {
  screen(state, request_of(guest_cell(0, 4, "2048") + "," + guest_cell(1, 4, "2048")));
}
BENCHMARK(screen_numa_two_cells_huge_pages)->RangeMultiplier(10)->Range(1000, 10000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace emplace
