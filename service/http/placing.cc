#include "service/http/placing.h"

#include <algorithm>

namespace emplace::http {

Result<void> start_only_where_driven(PlacementRequest& request, const Picture& picture) {
  if (!request.options.start) return {};
  const std::uint32_t libvirt = picture.find_code("libvirt");
  std::vector<std::string> driven;
  std::uint32_t others = 0;
  for (std::uint32_t host = 0; host < picture.rows(Table::kHosts); ++host) {
    if (picture[hosts::alive].get(host) != std::uint8_t{1}) continue;
    const std::string name(picture[hosts::name][host]);
    const auto& only = request.vm.only_hosts;
    if (!only.empty() && std::find(only.begin(), only.end(), name) == only.end()) continue;
    const bool is_driven = libvirt != kNoRow && picture[hosts::source].get(host) == libvirt;
    is_driven ? driven.push_back(name) : void(++others);
  }
  if (driven.empty() && others > 0) {
    return fail(
        ErrorCode::kConflict,
        "start: wanted a host with a hypervisor of ours, found static hosts (take a claim and confirm it instead) "
        "or OpenStack's (Nova starts their vms) only",
        "emplace.host.not_driven");
  }
  if (others > 0) request.vm.only_hosts = std::move(driven);
  return {};
}

}  // namespace emplace::http
