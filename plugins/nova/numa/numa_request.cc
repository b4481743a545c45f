#include "numa/numa_request.h"

#include <algorithm>

#include "numa/numa_reading.h"

namespace emplace::nova {
namespace {

constexpr std::size_t kMostCells = 64;

// A set's size: what is listed twice counts once.
std::uint32_t count_of(const Reading& cell, std::string_view key) {
  std::vector<std::int64_t> cpus;
  for (const Value& item : cell.list(key)) {
    const auto cpu = item.whole();
    if (!cpu) cell.refuse(key, "whole numbers", &item);
    cpus.push_back(*cpu);
  }
  std::ranges::sort(cpus);
  return static_cast<std::uint32_t>(std::unique(cpus.begin(), cpus.end()) - cpus.begin());
}

CpuPolicy policy_of(const Reading& cell) {
  const std::string policy = cell.text("cpu_policy");
  if (policy.empty() || policy == "shared") return CpuPolicy::kShared;
  if (policy == "dedicated") return CpuPolicy::kDedicated;
  if (policy != "mixed") cell.refuse("cpu_policy", "dedicated, shared or mixed", cell.find("cpu_policy"));
  return CpuPolicy::kMixed;
}

ThreadPolicy threads_of(const Reading& cell) {
  const std::string policy = cell.text("cpu_thread_policy");
  if (policy.empty() || policy == "prefer") return ThreadPolicy::kPrefer;
  if (policy == "isolate") return ThreadPolicy::kIsolate;
  if (policy != "require")
    cell.refuse("cpu_thread_policy", "prefer, isolate or require", cell.find("cpu_thread_policy"));
  return ThreadPolicy::kRequire;
}

GuestCell cell_of(const Reading& reading) {
  return {.id = reading.whole_or_none("id").value_or(-1),
          .memory_mib = reading.whole("memory"),
          .page_kib = reading.whole_or_none("pagesize").value_or(0),
          .shared_count = count_of(reading, "cpuset"),
          .dedicated_count = count_of(reading, "pcpuset"),
          .policy = policy_of(reading),
          .threads = threads_of(reading)};
}

void read_cells(const Reading& reading, NumaRequest& request) {
  const auto& cells = reading.list("cells");
  if (cells.size() > kMostCells) throw plugin::Error("request_spec.numa_topology.cells: wanted at most 64");
  for (std::size_t i = 0; i < cells.size(); ++i) request.cells.push_back(cell_of(reading.item("cells", i)));
  request.isolates_emulator = reading.text("emulator_threads_policy") == "isolate";
}

void read_networks(const Reading& reading, NumaRequest& request) {
  for (const Value& name : reading.list("physnets")) request.physnets.push_back(name.str());
  const Value* tunneled = reading.find("tunneled");
  request.tunneled = tunneled && tunneled->truthy();
}

}  // namespace

NumaRequest numa_request_of(const Value* topology, const Value* networks) {
  NumaRequest request;
  if (topology && !topology->is_none()) read_cells({*topology, "request_spec.numa_topology"}, request);
  if (networks && !networks->is_none()) read_networks({*networks, "request_spec.network_metadata"}, request);
  return request;
}

}  // namespace emplace::nova
