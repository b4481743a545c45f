// Random claims, confirmations and returns on a few small hosts: the store must decide as an oracle does that keeps a
// plain list of what was promised and sums it up again for every question.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "service/core/decide/cells.h"
#include "tests/store/fixture.h"

namespace emplace::test {
namespace {

using std::chrono::seconds;

constexpr int kHosts = 3;
constexpr double kVcpusOfACell = 4;
constexpr double kMemoryOfACell = 4096;

std::string host_name(int i) { return "h" + std::to_string(i); }
std::string rack_of(int i) { return i == 2 ? "" : "r" + std::to_string(i / 2); }

struct Promise {
  Uuid claim;
  VmRequest vm;
  int host;
  std::vector<std::uint32_t> cells;
  bool confirmed = false;
};

class Oracle {
 public:
  std::vector<Promise> promises;

  std::string refuse(const VmRequest& wanted, int at, std::vector<std::uint32_t>& cells) const {
    double vcpus = 2 * kVcpusOfACell, memory_mib = 2 * kMemoryOfACell;
    std::vector<CellFree> free(2, CellFree{kVcpusOfACell, kMemoryOfACell});
    for (const Promise& promise : promises) {
      if (promise.host != at) continue;
      vcpus -= promise.vm.vcpus;
      memory_mib -= promise.vm.memory_mib;
      for (const std::uint32_t cell : promise.cells) {
        free[cell].vcpus -= promise.vm.vcpus / static_cast<double>(promise.cells.size());
        free[cell].memory_mib -= promise.vm.memory_mib / static_cast<double>(promise.cells.size());
      }
    }
    if (wanted.vcpus > vcpus) return "capacity.vcpus";
    if (wanted.memory_mib > memory_mib) return "capacity.memory";
    for (const Promise& promise : promises)
      if (wanted.group == "near" && promise.vm.group == "near" && promise.host != at) return "group.affinity";
    if (wanted.group == "apart")
      if (std::any_of(promises.begin(), promises.end(),
                      [&](const Promise& promise) { return promise.vm.group == "apart" && promise.host == at; }))
        return "group.anti_affinity";
    for (const Promise& promise : promises) {
      if (wanted.spread.by == SpreadBy::kNone || promise.vm.spread.by == SpreadBy::kNone) continue;
      const bool same_place = rack_of(at).empty() ? promise.host == at : rack_of(promise.host) == rack_of(at);
      if (same_place && promise.vm.spread.domain != wanted.spread.domain) return "spread.rack";
    }
    const auto chosen = choose_cells(free, wanted.vcpus, wanted.memory_mib, wanted.numa_nodes);
    if (!chosen) return "capacity.numa";
    cells = *chosen;
    return "";
  }
};

void start_over(PostgresStore& store, const std::string& connection) {
  query(connection, "TRUNCATE claims, vms, host_cells, hosts, groups CASCADE");
  std::vector<Change> changes{GroupRow{.name = "near", .policy = GroupPolicy::kAffinity},
                              GroupRow{.name = "apart", .policy = GroupPolicy::kAntiAffinity}};
  for (int i = 0; i < kHosts; ++i) {
    HostRow row = host_with_cells(host_name(i), 2, kVcpusOfACell, kMemoryOfACell);
    row.rack = rack_of(i);
    changes.push_back(row);
  }
  RC_ASSERT(store.write(changes, {}, {}, in(seconds(20))).has_value());
}

VmRequest arbitrary_vm() {
  VmRequest request = vm("v", *rc::gen::inRange(1, 5), 512 * *rc::gen::inRange(1, 9));
  request.numa_nodes = static_cast<std::uint32_t>(*rc::gen::inRange(0, 3));
  request.group = *rc::gen::element(std::string(), std::string("near"), std::string("apart"));
  if (*rc::gen::inRange(0, 2) == 1)
    request.spread = {SpreadBy::kRack, "s", *rc::gen::element(std::string("1"), std::string("2"))};
  return request;
}

void take_one(PostgresStore& store, Oracle& oracle) {
  const VmRequest request = arbitrary_vm();
  const int at = *rc::gen::inRange(0, kHosts);
  const ClaimOrder wanted = order(request, host_name(at));
  std::vector<std::uint32_t> cells;
  const std::string expected = oracle.refuse(request, at, cells);

  const auto taken = store.take({wanted}, {}, in(seconds(20)));

  RC_ASSERT(taken.has_value());
  RC_ASSERT((taken->conflict ? taken->conflict->why.code : std::string()) == expected);
  if (!expected.empty()) return;
  RC_ASSERT(taken->claims.at(0).cells == cells);
  oracle.promises.push_back({wanted.id, request, at, cells});
}

void end_one(PostgresStore& store, Oracle& oracle) {
  if (oracle.promises.empty()) return;
  const auto at = oracle.promises.begin() + *rc::gen::inRange<std::ptrdiff_t>(0, std::ssize(oracle.promises));
  if (*rc::gen::inRange(0, 2) == 0) {
    RC_ASSERT(store.confirm(at->claim, VmState::kRunning, in(seconds(20))).has_value());
    at->confirmed = true;
    return;
  }
  RC_ASSERT(store.give_back(at->claim, "", in(seconds(20))).has_value() != at->confirmed);
  if (!at->confirmed) oracle.promises.erase(at);
}

TEST(Claims, AreDecidedAsAListOfPromisesWouldDecide) {
  const std::string connection = fresh_database(server().connection_string());
  PostgresStore store(options_for(connection));
  const bool held = rc::check([&] {
    start_over(store, connection);
    Oracle oracle;
    const int acts = *rc::gen::inRange(1, 25);
    for (int i = 0; i < acts; ++i) {
      if (*rc::gen::inRange(0, 4) == 0) {
        end_one(store, oracle);
      } else {
        take_one(store, oracle);
      }
    }
    RC_ASSERT(broken_rules(connection) == std::vector<std::string>{});
  });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace emplace::test
