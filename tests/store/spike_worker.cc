#include "tests/store/spike_worker.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

VmRequest random_vm(std::mt19937& random, int number) {
  const auto pick = [&random](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  VmRequest request = vm("vm-" + std::to_string(number), 1 + pick(4), 1024 * (1 + pick(4)));
  request.numa_nodes = static_cast<std::uint32_t>(pick(3));
  const int kind = pick(4);
  if (kind == 0) request.group = "near-" + std::to_string(pick(6));
  if (kind == 1) request.group = "apart-" + std::to_string(pick(6));
  if (kind == 2)
    request.spread = {SpreadBy::kRack, "spread-" + std::to_string(pick(6)), "domain-" + std::to_string(pick(2))};
  return request;
}

// Goes from host to host, as the line does down its ranking.
void work(PostgresStore& store, unsigned seed, int count, std::mutex& output) {
  std::mt19937 random(seed);
  for (int i = 0; i < count; ++i) {
    const VmRequest request = random_vm(random, i);
    for (int tries = 0; tries < 8; ++tries) {
      const ClaimOrder wanted = order(request, "host-" + std::to_string(random() % 20));
      const auto taken = store.take({wanted}, {}, in(std::chrono::seconds(20)));
      const std::lock_guard lock(output);
      if (!taken) {
        std::printf("error %s\n", taken.error().message.c_str());
        break;
      }
      if (taken->conflict) continue;
      std::printf("claim %s\n", to_string(wanted.id).c_str());
      break;
    }
  }
}

}  // namespace

int take_claims(int argc, char** argv) {
  if (argc != 5) return 2;
  PostgresStore store(options_for(argv[2]));
  std::mutex output;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back(
        [&, i] { work(store, static_cast<unsigned>(std::atoi(argv[3]) * 10 + i), std::atoi(argv[4]), output); });
  for (auto& thread : threads) thread.join();
  return 0;
}

}  // namespace emplace::test
