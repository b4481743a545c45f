// What the affinity plugin's index of page samples costs beside reading the columns that it is made of: the first index
// of a picture, as at the start of the service or of a worker, and the next one after every vm's host has changed.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <ctime>
#include <stdexcept>

#include "service/core/change/change.h"
#include "service/plugins/plugins.h"

namespace emplace {
namespace {

constexpr std::uint32_t kHosts = 10'000;
constexpr std::uint32_t kVms = 500'000;

// Vms with samples of so many pages each, every one of another: 0, as of vms that have touched nothing, leaves what is
// counted for each host.
std::shared_ptr<const Picture> cluster(std::int64_t pages) {
  PictureBuilder builder(std::make_shared<const Picture>(Arena::create().value()));
  builder.add_rows(Table::kHosts, kHosts);
  builder.add_rows(Table::kVms, kVms);
  std::vector<std::uint64_t> hashes(static_cast<std::size_t>(pages));
  for (std::uint32_t vm = 0; vm < kVms; ++vm) {
    for (std::size_t i = 0; i < hashes.size(); ++i) hashes[i] = (std::uint64_t{vm} << 40) | (2 * i + 1);
    builder.set(vms::host, vm, vm * 7919 % kHosts);
    builder.set(vms::sample_rate, vm, std::int64_t{1});
    builder.set(vms::page_samples, vm, hashes, 1);
  }
  return builder.finish({"bench", 1, 0}, 0);
}

std::shared_ptr<const Picture> moved(std::shared_ptr<const Picture> picture) {
  PictureBuilder builder(std::move(picture));
  for (std::uint32_t vm = 0; vm < kVms; ++vm) builder.set(vms::host, vm, (vm * 7919 + 1) % kHosts);
  return builder.finish({"bench", 2, 0}, 0);
}

Plugins load() {
  constexpr std::int64_t kDeadlineMs = 60'000;
  PluginSettings settings;
  settings.directory = EMPLACE_BUILT_PLUGINS;
  settings.worker.program = EMPLACE_BENCH_PROGRAMS "/emplace-worker";  // tries the plugin out first
  const std::vector<PluginChoice> choices{{"libemplace_affinity.so", "in-process", kDeadlineMs}};
  auto plugins = Plugins::load(settings, choices);
  if (!plugins) throw std::runtime_error(plugins.error().message);
  return *std::move(plugins);
}

// CPU time: the machine may be busy.
void observe_timed(benchmark::State& state, const Plugins& plugins, const Picture& picture) {
  const std::clock_t began = std::clock();
  plugins.observe(picture);
  state.SetIterationTime(static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC);
}

void first_index(benchmark::State& state) {
  const auto picture = cluster(state.range(0));
  for (auto _ : state) observe_timed(state, load(), *picture);
}
BENCHMARK(first_index)->ArgName("pages")->Arg(0)->Arg(1)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(1);

void index_after_moves(benchmark::State& state) {
  const auto before = cluster(state.range(0)), after = moved(before);
  for (auto _ : state) {
    const Plugins plugins = load();
    plugins.observe(*before);
    observe_timed(state, plugins, *after);
  }
}
BENCHMARK(index_after_moves)
    ->ArgName("pages")
    ->Arg(0)
    ->Arg(1)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);

void read_samples(benchmark::State& state) {
  const auto picture = cluster(0);
  const auto host = (*picture)[vms::host];
  const auto rate = (*picture)[vms::sample_rate];
  const auto hashes = (*picture)[vms::page_samples];
  for (auto _ : state) {
    std::uint64_t sum = 0;
    for (std::uint32_t vm = 0; vm < kVms; ++vm) {
      sum += host[vm] + static_cast<std::uint64_t>(rate[vm]) + hashes[vm].size();
    }
    benchmark::DoNotOptimize(sum);
  }
}
BENCHMARK(read_samples)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace emplace
