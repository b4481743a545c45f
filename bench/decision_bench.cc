// Figures of the pure part of the line: a decision over 1,000 to 1,000,000 hosts, its filters alone, the first Pareto
// front, each beside a reference of the same run: a loop that only reads the bytes the decision has to read, and the
// front by its definition. Compare ratios, not times, between machines.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>

#include <map>
#include <random>

#include "service/core/decision.h"

namespace emplace {
namespace {

// Hosts of three sizes, filled to different degrees, in four zones and one rack per forty.
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

const Picture& picture_of(std::int64_t hosts) {
  static std::map<std::int64_t, std::shared_ptr<const Picture>> pictures;
  auto& picture = pictures[hosts];
  if (!picture) picture = make_picture(hosts);
  return *picture;
}

PlacementRequest request_for(double vcpus, double memory_mib, double disk_gib) {
  PlacementRequest request;
  request.vm.name = "vm";
  request.vm.vcpus = vcpus;
  request.vm.memory_mib = memory_mib;
  request.vm.disk_gib = disk_gib;
  return request;
}

void set_rates(benchmark::State& state) {
  state.counters["s_per_host"] = benchmark::Counter(
      static_cast<double>(state.range(0)), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

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
    Weights weights{{}, {}, 0};
    weights.raw.reserve(hosts.size());
    for (const std::uint32_t host : hosts) weights.raw.push_back(free[host]);
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

// Reference: the sum of the columns that a default decision reads, and nothing else.
void read_columns(benchmark::State& state) {
  const Picture& picture = picture_of(state.range(0));
  const std::array columns{hosts::vcpus_free,     hosts::memory_free_mib,     hosts::disk_free_gib,
                           hosts::vcpus_capacity, hosts::memory_capacity_mib, hosts::disk_capacity_gib};
  for (auto _ : state) {
    std::array<double, 8> sums{};
    for (const auto column : columns) {
      const auto view = picture[column];
      for (std::uint32_t row = 0; row < picture.rows(Table::kHosts); row += kChunkRows) {
        const double* values = view.values(row / kChunkRows);
        for (std::size_t i = 0; i < kChunkRows; i += 8) {
          for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += values[i + lane];
        }
      }
    }
    benchmark::DoNotOptimize(sums);
  }
  set_rates(state);
}
BENCHMARK(read_columns)->RangeMultiplier(10)->Range(1000, 1000000)->Unit(benchmark::kMicrosecond);

// ---- the first front

enum class Shape { kRandom, kAntiCorrelated };

Boxes make_boxes(std::size_t hosts, std::size_t columns, Shape shape) {
  constexpr std::uint64_t kSeed = 11;
  constexpr double kBoxes = 1e6;
  std::mt19937_64 random(kSeed);
  std::uniform_real_distribution<double> uniform(0, 1);
  Boxes boxes{hosts, std::vector<std::vector<double>>(columns, std::vector<double>(hosts))};
  for (std::size_t i = 0; i < hosts; ++i) {
    double sum = 0;
    for (auto& column : boxes.columns) sum += column[i] = uniform(random);
    // Points near one plane: hardly any dominates another.
    const double scale = shape == Shape::kRandom ? 1 : (1 + 0.05 * uniform(random)) / sum;
    for (auto& column : boxes.columns) column[i] = std::floor(kBoxes * scale * column[i]);
  }
  return boxes;
}

std::vector<std::uint32_t> all_of(const Boxes& boxes) {
  std::vector<std::uint32_t> all(boxes.hosts);
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

void front_of(benchmark::State& state, Shape shape) {
  const Boxes boxes =
      make_boxes(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)), shape);
  const auto all = all_of(boxes);
  std::size_t front = 0;
  for (auto _ : state) benchmark::DoNotOptimize(front = pareto_front(boxes, all).size());
  state.counters["front"] = static_cast<double>(front);
}
void front_random(benchmark::State& state) { front_of(state, Shape::kRandom); }
void front_anti_correlated(benchmark::State& state) { front_of(state, Shape::kAntiCorrelated); }
BENCHMARK(front_random)
    ->ArgsProduct({{1000, 10000, 100000}, {5}})
    ->ArgsProduct({{10000}, {2, 3, 4, 6, 7, 8}})
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(front_anti_correlated)->Args({10000, 5})->Unit(benchmark::kMicrosecond);

// Reference: the front by its definition.
void front_by_definition(benchmark::State& state) {
  const Boxes boxes = make_boxes(static_cast<std::size_t>(state.range(0)), 5, Shape::kRandom);
  const auto dominates = [&](std::size_t a, std::size_t b) {
    bool less = false;
    for (const auto& column : boxes.columns) {
      if (column[a] > column[b]) return false;
      less |= column[a] < column[b];
    }
    return less;
  };
  for (auto _ : state) {
    std::size_t front = 0;
    for (std::size_t i = 0; i < boxes.hosts; ++i) {
      bool beaten = false;
      for (std::size_t j = 0; j < boxes.hosts && !beaten; ++j) beaten = dominates(j, i);
      front += !beaten;
    }
    benchmark::DoNotOptimize(front);
  }
}
BENCHMARK(front_by_definition)->Arg(1000)->Arg(10000)->Unit(benchmark::kMicrosecond);

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
