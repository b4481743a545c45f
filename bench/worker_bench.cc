// What isolation costs: one call of an objective that reads twelve columns of every host, in this process and in a
// worker, in turn, so that both see the same machine. Percentiles of each, and of what the worker takes more. With a
// pause between calls the worker sleeps when the question comes, as in a service that has little to do; without one it
// is still awake.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "service/core/change/change.h"
#include "service/plugins/plugins.h"

namespace emplace {
namespace {

using std::chrono::steady_clock;

std::shared_ptr<const Picture> make_picture(std::int64_t hosts) {
  constexpr std::uint64_t kSeed = 7;
  std::mt19937_64 random(kSeed);
  PictureBuilder builder(std::make_shared<Picture>(*Arena::create()));
  for (std::int64_t i = 0; i < hosts; ++i) {
    HostRow row;
    row.name = fmt::format("host-{}", i);
    row.vcpus = static_cast<double>(32 << (random() % 3));
    row.memory_mib = row.vcpus * 4096;
    row.disk_gib = row.vcpus * 20;
    apply(builder, row);
  }
  return builder.finish({"bench", 1, 0}, 0);
}

Plugins load(const std::string& isolation, const std::shared_ptr<Arena>& arena) {
  PluginSettings settings;
  settings.directory = EMPLACE_BENCH_PLUGINS;
  settings.worker.program = EMPLACE_BENCH_PROGRAMS "/emplace-worker";
  settings.worker.pictures = arena;
  constexpr std::int64_t kDeadlineMs = 10'000;  // a busy machine must not end the measurement
  const std::vector<PluginChoice> choices{{"libemplace_twelve.so", isolation, kDeadlineMs}};
  return Plugins::load(settings, choices).value();
}

double percentile(std::vector<double>& values, double part) {
  const auto at = static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

void report(benchmark::State& state, const std::string& name, std::vector<double> values) {
  for (const int part : {50, 90, 99}) {
    state.counters[fmt::format("{}_p{}_us", name, part)] = percentile(values, part / 100.0);
  }
}

double timed_us(const Objective& objective, const Query& query, const std::vector<std::uint32_t>& hosts) {
  const auto began = steady_clock::now();
  auto costs = objective.evaluate(query, hosts);
  const std::chrono::duration<double, std::micro> took = steady_clock::now() - began;
  if (!costs) throw std::runtime_error(costs.error().message);
  benchmark::DoNotOptimize(costs);
  return took.count();
}

void isolated_call(benchmark::State& state) {
  const auto picture = make_picture(state.range(0));
  const std::chrono::microseconds pause(state.range(1));
  const Plugins here = load("in-process", picture->arena()), worker = load("worker", picture->arena());
  const auto near = here.add_to({}).objectives.at(0), far = worker.add_to({}).objectives.at(0);
  PlacementRequest request;
  request.vm.name = "vm";
  const Query query = *bind(request, request.vm, *picture, 0);
  std::vector<std::uint32_t> hosts(static_cast<std::size_t>(state.range(0)));
  for (std::uint32_t i = 0; i < hosts.size(); ++i) hosts[i] = i;
  std::vector<double> nears, fars, more;
  for (auto _ : state) {
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
    nears.push_back(timed_us(*near, query, hosts));
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
    fars.push_back(timed_us(*far, query, hosts));
    more.push_back(fars.back() - nears.back());
    state.SetIterationTime(fars.back() / 1e6);
  }
  report(state, "here", std::move(nears));
  report(state, "worker", std::move(fars));
  report(state, "more", std::move(more));
}
BENCHMARK(isolated_call)
    ->ArgNames({"hosts", "pause_us"})
    ->ArgsProduct({{10'000}, {0, 2'000}})
    ->Args({100, 0})
    ->Args({100'000, 0})
    ->UseManualTime()
    ->Iterations(3000)
    ->Unit(benchmark::kMicrosecond);

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
