// The first Pareto front of random points, beside the front by its definition.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>

#include "service/core/decide/pareto.h"

namespace emplace {
namespace {

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
