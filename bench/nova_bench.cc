// A decision as nova-scheduler makes it, by the real plugin: Nova's default filters or 19, then its ten weighers.
// Beside it a loop that only reads the columns that those touch.
#include <benchmark/benchmark.h>

#include <array>

#include "bench/clusters.h"
#include "bench/nova_rules.h"
#include "service/core/decide/decision.h"

namespace emplace {
namespace {

void decide(benchmark::State& state, const Rules& rules, const PlacementRequest& request, const Picture& picture) {
  const Query query = *bind(request, request.vm, picture, kNovaNowUs);
  const Decision once = decide(rules, query, 4);  // the plugin has seen the picture
  if (!once.screened.degraded.empty() || !once.ranking.degraded.empty()) state.SkipWithError("degraded");
  for (auto _ : state) benchmark::DoNotOptimize(decide(rules, query, 4));
  state.counters["kept"] = static_cast<double>(once.costs.hosts.size());
  set_rates(state);
}

// A cluster and a request as Nova has them.
void decide_nova(benchmark::State& state) {
  decide(state, nova_rules(), nova_request(), nova_picture_of(state.range(0)));
}
BENCHMARK(decide_nova)->RangeMultiplier(10)->Range(1000, 100000)->Unit(benchmark::kMicrosecond);

// 19 filters on hosts with NUMA cells, for a request that asks for nothing in particular and one that asks for much.
void decide_nova_19(benchmark::State& state) {
  decide(state, nova_rules_of_19_filters(), nova_request(), nova_numa_picture_of(state.range(0)));
}
BENCHMARK(decide_nova_19)->RangeMultiplier(10)->Range(1000, 10000)->Unit(benchmark::kMicrosecond);

void decide_nova_19_pinned(benchmark::State& state) {
  decide(state, nova_rules_of_19_filters(), nova_numa_request(), nova_numa_picture_of(state.range(0)));
}
BENCHMARK(decide_nova_19_pinned)->RangeMultiplier(10)->Range(1000, 10000)->Unit(benchmark::kMicrosecond);

// The same rules on hosts of which Nova reported nothing but amounts.
void decide_nova_plain(benchmark::State& state) {
  decide(state, nova_rules(), request_for(4, 8192, 40), picture_of(state.range(0)));
}
BENCHMARK(decide_nova_plain)->RangeMultiplier(10)->Range(1000, 1000000)->Unit(benchmark::kMicrosecond);

// Reference: the amounts that Nova's three weighers read.
void read_nova_columns(benchmark::State& state) {
  const std::array columns{
      hosts::memory_mib,        hosts::memory_reserved_mib, hosts::memory_used_mib,      hosts::vcpus,
      hosts::vcpus_used,        hosts::vcpus_reserved,      hosts::cpu_allocation_ratio, hosts::disk_gib,
      hosts::disk_reserved_gib, hosts::disk_used_gib};
  read_all(state, picture_of(state.range(0)), columns);
}
BENCHMARK(read_nova_columns)->RangeMultiplier(10)->Range(1000, 1000000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace emplace
