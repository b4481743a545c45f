#include "service/rest/placing.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "service/core/json/json.h"

namespace emplace::http {

namespace {

// Whether a domain of that name, but another vm, is on the host: libvirt has each name once.
bool is_taken(const Picture& picture, std::uint32_t host, const VmRequest& vm) {
  for (const auto& entry : picture.index(Index::kVmsByName).find(text_key(vm.name))) {
    if (picture[vms::alive].get(entry.row) != std::uint8_t{1} || picture[vms::name][entry.row] != vm.name) continue;
    if (picture[vms::host].get(entry.row) == host && picture[vms::id].get(entry.row) != vm.id) return true;
  }
  return false;
}

bool is_any_taken(const Picture& picture, std::uint32_t host, const PlacementRequest& request) {
  for (std::uint32_t i = 0; i < request.options.count; ++i) {
    if (is_taken(picture, host, instance_of(request, i))) return true;
  }
  return false;
}

}  // namespace

Result<void> start_only_where_driven(PlacementRequest& request, const Picture& picture) {
  if (!request.options.start) return {};
  const std::uint32_t libvirt = picture.find_code("libvirt");
  std::vector<std::string> driven, taken;
  std::uint32_t others = 0;
  for (std::uint32_t host = 0; host < picture.rows(Table::kHosts); ++host) {
    if (picture[hosts::alive].get(host) != std::uint8_t{1}) continue;
    const std::string name(picture[hosts::name][host]);
    const auto& only = request.vm.only_hosts;
    if (!only.empty() && std::find(only.begin(), only.end(), name) == only.end()) continue;
    const bool is_driven = libvirt != kNoRow && picture[hosts::source].get(host) == libvirt;
    !is_driven ? void(++others) : is_any_taken(picture, host, request) ? taken.push_back(name) : driven.push_back(name);
  }
  if (driven.empty() && !taken.empty()) {
    return fail(ErrorCode::kConflict,
                fmt::format("vm.name: wanted a name that is free on a host, found {}, which is taken on {}",
                            json_text(request.vm.name), fmt::join(taken, ", ")),
                "emplace.vm.name_taken");
  }
  if (driven.empty() && others > 0) {
    return fail(
        ErrorCode::kConflict,
        "start: wanted a host with a hypervisor of ours, found static hosts (take a claim and confirm it instead) "
        "or OpenStack's (Nova starts their vms) only",
        "emplace.host.not_driven");
  }
  if (others > 0 || !taken.empty()) request.vm.only_hosts = std::move(driven);
  return {};
}

std::string sentence(const emplace::Refusal& why) {
  const auto text = [](const RuleValue& value) {
    if (const auto* number = std::get_if<double>(&value)) return json_number(*number);
    if (const auto* words = std::get_if<std::string>(&value)) return *words;
    return std::string("-");
  };
  return why.code + ": wanted " + text(why.wanted) + ", found " + text(why.found) +
         (why.unit.empty() ? "" : " " + why.unit);
}

}  // namespace emplace::http
