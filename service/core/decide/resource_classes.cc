#include "service/core/decide/resource_classes.h"

#include <algorithm>
#include <array>
#include <map>

#include "service/core/change/placement_told.h"
#include "service/core/change/takes.h"

namespace emplace {
namespace {

constexpr std::string_view kPcpu = "PCPU";

struct Budget {
  std::string_view name;
  Column<double> capacity, free;
  double VmRequest::*amount;
};
constexpr std::array kBudgets{
    Budget{kVcpuClass, hosts::vcpus_capacity, hosts::vcpus_free, &VmRequest::vcpus},
    Budget{kMemoryClass, hosts::memory_capacity_mib, hosts::memory_free_mib, &VmRequest::memory_mib},
    Budget{kDiskClass, hosts::disk_capacity_gib, hosts::disk_free_gib, &VmRequest::disk_gib}};

const Budget* find_budget(std::string_view name) {
  const auto found = std::ranges::find(kBudgets, name, &Budget::name);
  return found == kBudgets.end() ? nullptr : &*found;
}

// Capacities by class. Nothing: nobody asked Placement about this host.
using Inventories = std::optional<ResourceAmounts>;

Inventories inventories_of(const Picture& picture, std::uint32_t host) {
  const auto text = picture[hosts::resources_capacity].get(host);
  return text ? Inventories(resource_amounts(*text)) : std::nullopt;
}

std::optional<double> free_of(const Query& query, std::uint32_t host, const Inventories& inventories,
                              const std::string& name) {
  if (const Budget* budget = find_budget(name)) return query.picture[budget->free].get(host);
  if (!inventories) return std::nullopt;
  const auto capacity = inventories->find(name);
  if (capacity == inventories->end()) return 0;
  const ResourceAmounts used = resource_amounts(query.picture[hosts::resources_used].get(host).value_or(""));
  const auto taken = used.find(name);
  return capacity->second - (taken == used.end() ? 0 : taken->second);
}

// What the vm takes of this host by class, all classes.
ResourceAmounts wanted_of(const VmRequest& vm, const Inventories& inventories) {
  ResourceAmounts wanted = vm.resources;
  for (const Budget& budget : kBudgets) wanted.emplace(budget.name, vm.*budget.amount);
  const bool has_pcpu = inventories && inventories->contains(kPcpu);
  if (!has_pcpu && wanted.erase(std::string(kPcpu)) > 0) wanted[std::string(kVcpuClass)] = vm.vcpus;
  return wanted;
}

}  // namespace

std::vector<ResourceNeed> resource_needs(const Query& query, std::uint32_t host) {
  const auto inventories = inventories_of(query.picture, host);
  std::vector<ResourceNeed> needs;
  for (const auto& [name, amount] : wanted_of(query.vm, inventories)) {
    if (amount > 0) needs.push_back({name, amount, free_of(query, host, inventories, name)});
  }
  return needs;
}

std::vector<ResourceState> resource_states(const Picture& picture, std::uint32_t host) {
  const ResourceAmounts used = resource_amounts(picture[hosts::resources_used].get(host).value_or(""));
  std::vector<ResourceState> states;
  for (const auto& [name, capacity] : inventories_of(picture, host).value_or(ResourceAmounts())) {
    const auto taken = used.find(name);
    if (!find_budget(name)) states.push_back({name, capacity, taken == used.end() ? 0 : taken->second});
  }
  return states;
}

bool has_resource(const Picture& picture, std::uint32_t host, std::string_view name) {
  const auto inventories = inventories_of(picture, host);
  return inventories && inventories->contains(name);
}

bool is_sent_by_nova(const Picture& picture, std::uint32_t host) {
  return picture.text(picture[hosts::source].get(host).value_or(kNoRow)) == "nova";
}

// Of a class without an inventory nothing can be taken; where there are none at all nobody counts them.
std::string resource_takes(const Query& query, std::uint32_t host) {
  if (query.vm.resources.empty() || is_sent_by_nova(query.picture, host)) return {};
  const auto inventories = inventories_of(query.picture, host);
  std::vector<Taken> takes;
  for (const auto& [name, amount] : wanted_of(query.vm, inventories)) {
    const Budget* budget = find_budget(name);
    if (budget && amount == query.vm.*budget->amount) continue;
    const std::string take = std::string(kResourceTake) + name;
    if (budget) {
      takes.push_back({take, amount, std::max(0.0, query.picture[budget->capacity].get(host).value_or(0))});
    } else if (const auto capacity = inventories ? inventories->find(name) : ResourceAmounts::const_iterator();
               inventories && capacity != inventories->end()) {
      takes.push_back({take, amount, std::max(0.0, capacity->second)});
    }
  }
  return write_takes(takes);
}

}  // namespace emplace
