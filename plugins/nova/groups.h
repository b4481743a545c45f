// Groups: a vm's server group, as filters and weighers need it. A RequestSpec brings its group with members and hosts;
// a request of our own names a group of the picture, whose members by host the host hands over.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "host_states.h"
#include "spec.h"

namespace emplace::nova {

// As groups.policy has them.
inline constexpr std::uint32_t kAffinity = 0, kAntiAffinity = 1, kSoftAffinity = 2, kSoftAntiAffinity = 3;

using Counts = std::map<std::uint32_t, std::uint32_t>;  // by host: members there

struct PictureGroup {
  std::uint32_t policy;
  double max_per_host;
};
// The request names a group that the picture lacks, which is let pass where a cloud's groups could not be read.
bool is_group_unread(const plugin::Call& call);
plugin::Refusal unread_group(const plugin::Call& call);
// Nothing: the request names none.
std::optional<PictureGroup> picture_group(const plugin::Call& call);
Counts picture_members(const plugin::Call& call);

// Each member once per host, however often the group names it.
Counts spec_members(const Group& group, const Instances& instances);

}  // namespace emplace::nova
