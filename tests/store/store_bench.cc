// Durable claims per second: 32 threads (or as many as given) take one claim after another on 1,000 hosts with room,
// each waiting for its own commit. Prints claims/s and percentiles of the wait; then how long an import and a load
// take.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/store/fixture.h"

namespace {

using namespace emplace;
using namespace emplace::test;

constexpr int kHosts = 1000;

std::vector<double> run(PostgresStore& store, int threads, std::chrono::seconds time) {
  std::vector<std::vector<double>> waits(static_cast<std::size_t>(threads));
  const auto end = std::chrono::steady_clock::now() + time;
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i)
    workers.emplace_back([&, i] {
      for (unsigned n = static_cast<unsigned>(i); std::chrono::steady_clock::now() < end; n += 37) {
        const auto start = std::chrono::steady_clock::now();
        const auto taken =
            store.take({order(vm("v", 1, 1024), fmt::format("host-{}", n % kHosts))}, {}, in(std::chrono::seconds(10)));
        if (!taken || taken->conflict) continue;
        waits[static_cast<std::size_t>(i)].push_back(
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
      }
    });
  for (auto& worker : workers) worker.join();
  std::vector<double> all;
  for (const auto& some : waits) all.insert(all.end(), some.begin(), some.end());
  std::sort(all.begin(), all.end());
  return all;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// A cluster of 10,000 hosts and 100,000 vms: written at once, and loaded as a starting replica does.
void import_and_load() {
  PostgresStore store(options_for(fresh_database(server().connection_string())));
  std::vector<Change> changes;
  for (int i = 0; i < 10'000; ++i) changes.push_back(host(fmt::format("host-{}", i), 64, 262144));
  for (int i = 0; i < 100'000; ++i) {
    VmRow row;
    row.name = fmt::format("vm-{}", i);
    row.host = fmt::format("host-{}", i % 10'000);
    row.state = VmState::kRunning;
    row.vcpus = 2;
    row.memory_mib = 4096;
    changes.push_back(row);
  }
  auto start = std::chrono::steady_clock::now();
  const auto written = store.write(std::move(changes), {}, {}, in(std::chrono::minutes(5)));
  fmt::print("import 10,000 hosts, 100,000 vms  {}  {:.2f} s\n", written ? "ok" : written.error().message,
             seconds_since(start));
  std::size_t rows = 0;
  start = std::chrono::steady_clock::now();
  const auto loaded =
      store.load([&rows](std::vector<Change> piece) { rows += piece.size(); }, in(std::chrono::minutes(1)));
  fmt::print("load {} rows  {}  {:.2f} s\n", rows, loaded ? "ok" : loaded.error().message, seconds_since(start));
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 32;
  const std::chrono::seconds time(argc > 2 ? std::atoi(argv[2]) : 5);
  {
    const std::string connection = fresh_database(server().connection_string());
    PostgresStore store(options_for(connection));
    std::vector<Change> hosts;
    for (int i = 0; i < kHosts; ++i) hosts.push_back(host(fmt::format("host-{}", i), 1e6, 1e9));
    if (const auto written = store.write(hosts, {}, {}, in(std::chrono::seconds(20))); !written) {
      fmt::print("{}\n", written.error().message);
      return 1;
    }
    const auto waits = run(store, threads, time);
    const auto at = [&](double part) {
      return waits[static_cast<std::size_t>(part * static_cast<double>(waits.size() - 1))];
    };
    if (waits.empty()) return 1;
    fmt::print(
        "threads {}  claims {}  claims/s {:.0f}  wait p50 {:.2f} ms  p99 {:.2f} ms  claims per commit {:.1f}\n",
        threads, waits.size(), static_cast<double>(waits.size()) / static_cast<double>(time.count()), at(0.5), at(0.99),
        static_cast<double>(store.state().committed_claims) / static_cast<double>(store.state().committed_batches));
  }
  import_and_load();
  stop_server();
  return 0;
}
