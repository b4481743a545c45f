#include "numa/numa_topology.h"

#include <algorithm>
#include <map>

#include "numa/numa_reading.h"
#include "python_set.h"

namespace emplace::nova {
namespace {

std::optional<Cpu> cpu_of(const Value& value) {
  const auto whole = value.whole();
  return whole && *whole >= 0 && *whole <= kMostCpu ? std::optional(static_cast<Cpu>(*whole)) : std::nullopt;
}

// In the order of the set that Nova makes of the list.
std::vector<Cpu> cpus_of(const Reading& cell, std::string_view key, const Value::List& list) {
  std::vector<Cpu> cpus;
  for (const Value& item : list) {
    const auto cpu = cpu_of(item);
    if (!cpu) cell.refuse(key, "CPUs from 0 to " + std::to_string(kMostCpu), &item);
    cpus.push_back(*cpu);
  }
  return set_of_assigned(set_of_added(cpus));
}

CpuSet set_of(const std::vector<Cpu>& cpus) {
  CpuSet set;
  for (const Cpu cpu : cpus) set.insert(cpu);
  return set;
}

void read_siblings(const Reading& reading, NumaCell& cell) {
  for (const Value& core : reading.list("siblings")) {
    if (!core.list()) reading.refuse("siblings", "lists of CPUs", &core);
    const auto threads = cpus_of(reading, "siblings", *core.list());
    if (threads.size() > kMostThreads) reading.refuse("siblings", "at most 16 threads in a core", &core);
    cell.threads.insert(cell.threads.end(), threads.begin(), threads.end());
    cell.core_ends.push_back(static_cast<std::uint32_t>(cell.threads.size()));
  }
}

void read_pages(const Reading& reading, NumaCell& cell) {
  for (std::size_t i = 0; i < reading.list("mempages").size(); ++i) {
    const Reading pages = reading.item("mempages", i);
    cell.pages.push_back({pages.whole("size_kb", 1, kMostPageKib), pages.whole("total"),
                          pages.whole_or_none("used").value_or(0), pages.whole_or_none("reserved").value_or(0)});
  }
  std::ranges::stable_sort(cell.pages, std::greater<>(), &NumaPages::size_kib);
}

void read_networks(const Reading& reading, NumaCell& cell) {
  const Value* networks = reading.find("network_metadata");
  if (!networks) return;
  for (const Value& name : Reading(*networks, "network_metadata").list("physnets")) cell.physnets.push_back(name.str());
  const Value* tunneled = networks->fields().find("tunneled");
  cell.tunneled = tunneled && tunneled->truthy();
}

NumaCell host_cell_of(const Reading& reading) {
  NumaCell cell;
  cell.id = reading.whole("id");
  cell.memory_mib = reading.whole("memory");
  cell.memory_used_mib = reading.whole_or_none("memory_usage").value_or(0);
  cell.cpu_usage = reading.whole_or_none("cpu_usage").value_or(0);
  cell.socket = reading.whole_or_none("socket");
  const auto cpus = [&](std::string_view key) { return cpus_of(reading, key, reading.list(key)); };
  cell.dedicated_order = cpus("pcpuset");
  cell.shared = set_of(cpus("cpuset")), cell.dedicated = set_of(cell.dedicated_order);
  cell.pinned = set_of(cpus("pinned_cpus"));
  read_siblings(reading, cell);
  read_pages(reading, cell);
  read_networks(reading, cell);
  cell.count();
  return cell;
}

}  // namespace

bool CpuSet::operator==(const CpuSet& other) const {
  const auto& [fewer, more] =
      words_.size() < other.words_.size() ? std::tie(words_, other.words_) : std::tie(other.words_, words_);
  return std::equal(fewer.begin(), fewer.end(), more.begin()) &&
         std::all_of(more.begin() + static_cast<std::ptrdiff_t>(fewer.size()), more.end(),
                     [](std::uint64_t word) { return word == 0; });
}

CpuSet CpuSet::without(const CpuSet& other) const {
  CpuSet left = *this;
  for (std::size_t i = 0; i < std::min(words_.size(), other.words_.size()); ++i) left.words_[i] &= ~other.words_[i];
  return left;
}

std::span<const Cpu> NumaCell::core(std::size_t index) const {
  const std::size_t first = index == 0 ? 0 : core_ends[index - 1];
  return std::span(threads).subspan(first, core_ends[index] - first);
}

void NumaCell::renew_sets() {
  dedicated_order = set_of_assigned(dedicated_order);
  for (std::size_t i = 0; i < cores(); ++i) {
    const auto order = set_of_assigned(core(i));
    std::ranges::copy(order, threads.begin() + (core(i).data() - threads.data()));
  }
}

void NumaCell::count() {
  shared_count = shared.size(), dedicated_count = dedicated.size();
  free_count = dedicated.without(pinned).size();
  same_sets = shared == dedicated;
  smallest_page_kib = pages.empty() ? 0 : pages.back().size_kib;
  const auto smallest = std::ranges::find(pages, smallest_page_kib, &NumaPages::size_kib);
  smallest_pages_kib = pages.empty() ? 0 : smallest->total_kib();
  free_in_cores = 0;
  threads_per_core = 0;
  cores_with.fill(0);
  for (std::size_t i = 0; i < cores(); ++i) {
    const auto siblings = core(i);
    const auto free = std::ranges::count_if(siblings, [this](Cpu cpu) { return is_free(cpu); });
    for (std::size_t threads_no = 1; threads_no <= static_cast<std::size_t>(free); ++threads_no)
      ++cores_with[threads_no];
    // Cores that share CPUs may have more than there are; nobody asks for so many.
    free_in_cores = static_cast<std::uint16_t>(std::min<std::ptrdiff_t>(free_in_cores + free, kMostCpu + 1));
    threads_per_core = std::max({threads_per_core, static_cast<std::uint8_t>(siblings.size()), std::uint8_t{1}});
  }
}

bool has_threads(std::span<const NumaCell> host) {
  return std::ranges::any_of(host, [](const NumaCell& cell) { return cell.threads_per_core > 1; });
}

std::optional<NumaTopology> numa_topology_of(const Value* value) {
  if (!value || value->is_none()) return std::nullopt;
  if (value->text()) {
    if (value->text()->empty()) return std::nullopt;
    const auto parsed = parse_json(*value->text());
    return parsed ? numa_topology_of(&*parsed) : NumaTopology{{}, "numa_topology: wanted JSON, found another text"};
  }
  try {
    NumaTopology topology;
    const Reading reading(*value, "numa_topology");
    for (std::size_t i = 0; i < reading.list("cells").size(); ++i) {
      topology.cells.push_back(host_cell_of(reading.item("cells", i)));
    }
    return topology;
  } catch (const plugin::Error& error) {
    return NumaTopology{{}, error.what()};
  }
}

}  // namespace emplace::nova
