// Fits what it reads, for comparison with real Nova: a line in is {"topology", "pools", "cpu_ratio", "ram_ratio",
// "guest", "networks", "requests", "pack", "times"} with the primitives of Nova's objects; a line out says for each
// time that the guest was put onto what the time before has left of the host, what was fitted where, and what is left.
#include <iostream>
#include <string>
#include <utility>

#include "plugins/nova/numa/numa_fit.h"

namespace emplace::nova {
namespace {

// Ratios as texts: Value does not tell its numbers.
double number_at(const Value& line, const char* key) { return std::stod(line.find(key)->str()); }

template <typename Item, typename Text>
std::string list_of(const std::vector<Item>& items, Text text) {
  std::string out = "[";
  for (const Item& item : items) out += (out.size() > 1 ? "," : "") + text(item);
  return out + "]";
}

std::string texts_of(const std::vector<Cpu>& cpus) {
  return list_of(cpus, [](Cpu cpu) { return std::to_string(cpu); });
}

std::string text_of(const FittedCell& cell) {
  const auto& pinning = cell.pinning;
  return "{\"id\":" + std::to_string(cell.guest.id) + ",\"pagesize\":" + std::to_string(cell.guest.page_kib) +
         ",\"cpus\":" + (pinning ? texts_of(pinning->cpus) : "null") +
         ",\"reserved\":" + (pinning && pinning->reserved ? std::to_string(*pinning->reserved) : "null") + "}";
}

std::string text_of(const NumaPages& pages) {
  return "[" + std::to_string(pages.size_kib) + "," + std::to_string(pages.used) + "]";
}

std::string text_of(const NumaCell& cell) {
  std::vector<Cpu> pinned;
  for (Cpu cpu = 0; cpu < 1024; ++cpu) {
    if (cell.pinned.contains(cpu)) pinned.push_back(cpu);
  }
  return "{\"memory_usage\":" + std::to_string(cell.memory_used_mib) +
         ",\"cpu_usage\":" + std::to_string(cell.cpu_usage) + ",\"pinned\":" + texts_of(pinned) +
         ",\"mempages\":" + list_of(cell.pages, [](const NumaPages& pages) { return text_of(pages); }) + "}";
}

struct Host {
  std::optional<NumaTopology> topology;
  std::optional<PciPools> pools;
};

// Of one time; the host becomes what is left of it. Nothing is left where it did not fit or can't be counted.
std::string answer(const Value& line, Host& host) {
  const NumaRequest request = numa_request_of(line.find("guest"), line.find("networks"));
  const auto devices = pci_requests_of(line.find("requests"));
  NumaFitting fitting(request, devices, line.find("pack")->truthy());
  const NumaLimits limits{number_at(line, "cpu_ratio"), number_at(line, "ram_ratio")};
  const Host before = std::exchange(host, {});
  const auto& [topology, pools] = before;
  if (fitting.fit(topology->cells, pools ? &*pools : nullptr, limits) != NumaObstacle::kNone) return "{\"fits\":false}";
  const auto fit = fitting.fitted();
  const auto used = consume(*topology, fit);
  const auto left = pools ? consume(*pools, devices, {fitting.chosen(), topology->cells}) : std::nullopt;
  host = {used, left};
  return "{\"fits\":true,\"cells\":" + list_of(fit, [](const FittedCell& cell) { return text_of(cell); }) +
         ",\"host\":" + (used ? list_of(used->cells, [](const NumaCell& cell) { return text_of(cell); }) : "null") +
         ",\"pools\":" +
         (left ? list_of(left->pools, [](const PciPool& pool) { return std::to_string(pool.count); }) : "null") + "}";
}

std::string answers(const Value& line) {
  Host host{numa_topology_of(line.find("topology")), pci_pools_of(line.find("pools"))};
  std::string out = "[";
  for (std::int64_t time = *line.find("times")->whole(); time > 0 && host.topology; --time) {
    out += (out.size() > 1 ? "," : "") + answer(line, host);
  }
  return out + "]";
}

}  // namespace
}  // namespace emplace::nova

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const auto value = emplace::nova::parse_json(line);
    std::cout << (value ? emplace::nova::answers(*value) : "not JSON") << std::endl;
  }
}
