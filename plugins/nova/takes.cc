#include "takes.h"

#include <algorithm>
#include <charconv>

namespace emplace::nova {
namespace {

constexpr std::string_view kCells = "numa/";

// "numa/3/..." becomes "3/..." when asked for "numa/".
bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::optional<std::int64_t> take_whole(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

void add_to_cell(NumaCell& cell, std::string_view name, std::int64_t amount) {
  if (name == "memory_mib") {
    cell.memory_used_mib += amount;
  } else if (name == "cpus") {
    cell.cpu_usage += amount;
  } else if (take_prefix(name, "cpu/")) {
    const auto cpu = take_whole(name);
    if (cpu && *cpu >= 0 && *cpu <= kMostCpu) cell.pinned.insert(static_cast<Cpu>(*cpu));
  } else if (take_prefix(name, "pages/")) {
    const auto size_kib = take_whole(name);
    for (NumaPages& pages : cell.pages) {
      if (pages.size_kib == size_kib) pages.used += amount;
    }
  }
}

}  // namespace

std::optional<std::int64_t> TakesCounter::add(std::string_view takes) {
  const auto parsed = takes.empty() ? std::nullopt : parse_json(takes);
  if (!parsed || !parsed->list()) return std::nullopt;
  std::optional<std::int64_t> operations;
  bool takes_of_cells = false;
  for (const Value& item : *parsed->list()) {
    const Value::List* take = item.list();
    if (!take || take->size() < 2 || !(*take)[0].text()) continue;
    const std::string& name = *(*take)[0].text();
    const auto amount = (*take)[1].whole();
    if (!amount) continue;
    if (name == kOperations) operations = amount;
    takes_of_cells = takes_of_cells || name.starts_with(kCells);
    add(name, *amount);
  }
  if (takes_of_cells && state_.numa) std::ranges::for_each(state_.numa->cells, &NumaCell::renew_sets);
  return operations;
}

void TakesCounter::add(std::string_view name, std::int64_t amount) {
  if (take_prefix(name, "pci/")) return add_to_pool(name, amount);
  if (!state_.numa || !take_prefix(name, kCells)) return;
  const auto id = take_whole(name);
  const auto cell = std::ranges::find_if(state_.numa->cells, [&](const NumaCell& one) { return one.id == id; });
  if (cell != state_.numa->cells.end() && take_prefix(name, "/")) add_to_cell(*cell, name, amount);
}

void TakesCounter::add_to_pool(std::string_view key, std::int64_t amount) {
  if (!state_.pci) return;
  if (pool_keys_.empty()) pool_keys_ = keys_of(*state_.pci);
  taken_of_.resize(pool_keys_.size());
  const auto at = std::ranges::find(pool_keys_, key);
  if (at == pool_keys_.end()) return;
  const auto position = static_cast<std::size_t>(at - pool_keys_.begin());
  state_.pci->pools[position].count -= amount;
  taken_of_[position] = true;
}

// Nova drops a pool when its last device is taken.
void TakesCounter::finish() {
  if (state_.numa) std::ranges::for_each(state_.numa->cells, &NumaCell::count);
  if (!state_.pci) return;
  std::size_t position = 0;
  std::erase_if(state_.pci->pools, [&](const PciPool& pool) {
    const bool taken_of = position < taken_of_.size() && taken_of_[position];
    ++position;
    return taken_of && pool.count <= 0;
  });
}

}  // namespace emplace::nova
