// Figures of the pure part of the line: a decision over 1,000 to 1,000,000 hosts, its filters alone, the first Pareto
// front, each beside a reference of the same run: a loop that only reads the bytes the decision has to read, and the
// front by its definition. Compare ratios, not times, between machines.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <array>

#include "bench/clusters.h"
#include "service/core/base/numbers.h"
#include "service/core/decide/decision.h"

namespace emplace {
namespace {

// The default profile as it is without plugins.
void decide_default(benchmark::State& state) {
  const Catalogue catalogue = built_in_rules();
  const Rules rules = *resolve(default_profile(catalogue), catalogue);
  const PlacementRequest request = request_for(4, 8192, 40);
  const Query query = *bind(request, request.vm, picture_of(state.range(0)), 0);
  for (auto _ : state) benchmark::DoNotOptimize(decide(rules, query, 4));
  set_rates(state);
}
BENCHMARK(decide_default)->RangeMultiplier(10)->Range(1000, 1000000)->Unit(benchmark::kMicrosecond);

void screen_default(benchmark::State& state) {
  const Catalogue catalogue = built_in_rules();
  const Rules rules = *resolve(default_profile(catalogue), catalogue);
  PlacementRequest request = request_for(4, 8192, 40);
  request.vm.zone = "zone-1";
  const Query query = *bind(request, request.vm, picture_of(state.range(0)), 0);
  for (auto _ : state) benchmark::DoNotOptimize(screen(rules, query));
  set_rates(state);
}
BENCHMARK(screen_default)->RangeMultiplier(10)->Range(1000, 1000000)->Unit(benchmark::kMicrosecond);

// Free amounts as Nova's RAM, CPU and disk weighers read them.
class FreeWeigher final : public Weigher {
 public:
  FreeWeigher(std::string id, Column<double> free) : traits_{std::move(id), "What is free."}, free_(free) {}
  const RuleTraits& traits() const override { return traits_; }
  double default_multiplier() const override { return 1; }
  Result<Weights> weigh(const Query& query, std::span<const std::uint32_t> hosts) const override {
    const auto free = query.picture[free_];
    Weights weights{std::vector<double>(hosts.size()), {}, 0};
    for (std::size_t i = 0; i < hosts.size();) {
      const std::uint32_t chunk = hosts[i] / kChunkRows;
      const auto end =
          std::lower_bound(hosts.begin() + static_cast<std::ptrdiff_t>(i), hosts.end(), (chunk + 1) * kChunkRows);
      const auto count = static_cast<std::size_t>(end - hosts.begin()) - i;
      pick(free.values(chunk), chunk * kChunkRows, hosts.subspan(i, count), weights.raw.data() + i);
      i += count;
    }
    return weights;
  }

 private:
  const RuleTraits traits_;
  const Column<double> free_;
};

// Filters and three weighers, the shape of Nova's own decision.
void decide_by_weight(benchmark::State& state) {
  Catalogue catalogue = built_in_rules();
  catalogue.weighers = {std::make_shared<FreeWeigher>("ram", hosts::memory_free_mib),
                        std::make_shared<FreeWeigher>("cpu", hosts::vcpus_free),
                        std::make_shared<FreeWeigher>("disk", hosts::disk_free_gib)};
  Profile profile{.name = "nova",
                  .method = RankMethod::kNova,
                  .filters = default_profile(catalogue).filters,
                  .objectives = {},
                  .weighers = {{"ram"}, {"cpu"}, {"disk"}}};
  const Rules rules = *resolve(profile, catalogue);
  const PlacementRequest request = request_for(4, 8192, 40);
  const Query query = *bind(request, request.vm, picture_of(state.range(0)), 0);
  for (auto _ : state) benchmark::DoNotOptimize(decide(rules, query, 4));
  set_rates(state);
}
BENCHMARK(decide_by_weight)->RangeMultiplier(10)->Range(1000, 1000000)->Unit(benchmark::kMicrosecond);

// Reference: the columns that a default decision reads.
void read_columns(benchmark::State& state) {
  const std::array columns{hosts::vcpus_free,     hosts::memory_free_mib,     hosts::disk_free_gib,
                           hosts::vcpus_capacity, hosts::memory_capacity_mib, hosts::disk_capacity_gib};
  read_all(state, picture_of(state.range(0)), columns);
}
BENCHMARK(read_columns)->RangeMultiplier(10)->Range(1000, 1000000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace emplace

int main(int argc, char** argv) {
  // As in a service that decides all the time: memory freed by one decision is there for the next.
  constexpr int kKeptBytes = 256 << 20, kMostOnTheHeap = 32 << 20;  // the latter is the most that glibc takes
  mallopt(M_MMAP_THRESHOLD, kMostOnTheHeap);
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
