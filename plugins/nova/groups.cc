#include "groups.h"

#include <algorithm>

namespace emplace::nova {

bool is_group_unread(const plugin::Call& call) {
  const auto name = call.request().column<std::string_view>("group").get(0);
  return name && !name->empty() && !call.request().column<std::uint32_t>("group_row").get(0);
}

plugin::Refusal unread_group(const plugin::Call& call) {
  const auto name = call.request().column<std::string_view>("group").get(0);
  return {"nova.group.unread", std::string(name.value_or("")), "server groups were not read"};
}

std::optional<PictureGroup> picture_group(const plugin::Call& call) {
  const auto row = call.request().column<std::uint32_t>("group_row").get(0);
  if (!row) return std::nullopt;
  const auto policy = call.picture().column<std::uint32_t>("groups", "policy").get(*row);
  const auto limit = call.picture().column<double>("groups", "max_per_host").get(*row);
  return policy ? std::optional(PictureGroup{*policy, limit.value_or(1)}) : std::nullopt;
}

Counts picture_members(const plugin::Call& call) {
  const auto members = call.request("request_members");
  const auto hosts = members.column<std::uint32_t>("host");
  const auto counts = members.column<std::uint32_t>("count");
  Counts by_host;
  for (std::uint32_t row = 0; row < members.rows(); ++row) by_host[hosts[row]] += counts[row];
  return by_host;
}

Counts spec_members(const Group& group, const Instances& instances) {
  std::vector<plugin::Uuid> members = group.members;
  std::ranges::sort(members);
  members.erase(std::unique(members.begin(), members.end()), members.end());
  Counts by_host;
  for (const plugin::Uuid& member : members) {
    for (const std::uint32_t host : instances.hosts(member)) ++by_host[host];
  }
  return by_host;
}

}  // namespace emplace::nova
