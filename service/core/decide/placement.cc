#include "service/core/decide/placement.h"

#include <utility>

#include "service/core/decide/cells.h"

namespace emplace {

Uuid id_of_instance(std::uint32_t number) {
  Uuid id;
  for (std::size_t i = 0; i < 4; ++i) id.bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  return id;
}

VmRow placed_row(const Picture& picture, const VmRequest& vm, const std::string& host, std::string takes) {
  VmRow row;
  row.id = vm.id;
  row.name = vm.name;
  row.host = host;
  row.state = VmState::kClaimed;
  row.project = vm.project;
  row.group = group_name(vm, picture);
  row.vcpus = vm.vcpus;
  row.memory_mib = vm.memory_mib;
  row.disk_gib = vm.disk_gib;
  row.numa_nodes = vm.numa_nodes;
  row.spread = vm.spread;
  row.takes = std::move(takes);
  if (const std::uint32_t row_of_host = picture.find_host(host); row_of_host != kNoRow && vm.numa_nodes > 0) {
    row.cells = cells_for(picture, row_of_host, vm).value_or(std::vector<std::uint32_t>());
  }
  return row;
}

std::string host_at(const Instance& instance, std::size_t i) {
  const std::uint32_t row = instance.decision->costs.hosts[instance.decision->ranking.order[i].index];
  return std::string((*instance.picture)[hosts::name][row]);
}

std::string chosen_host(const Instance& instance) {
  if (instance.claim) return instance.claim->host;
  return instance.decision->ranking.order.empty() ? "" : host_at(instance, 0);
}

}  // namespace emplace
