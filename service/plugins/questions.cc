#include "service/plugins/questions.h"

#include <array>
#include <utility>

namespace emplace {
namespace {

constexpr std::array<std::pair<std::uint32_t, const char*>, 8> kNames = {{
    {kConfinedByPrivileges, "no_new_privs"},
    {kConfinedByLimits, "rlimits"},
    {kConfinedBySeccomp, "seccomp"},
    {kConfinedByParent, "parent_death_signal"},
    {kConfinedByUser, "user"},
    {kConfinedByUserNamespace, "user_namespace"},
    {kConfinedByLandlock, "landlock"},
    {kConfinedByMounts, "mount_namespace"},
}};

// Of each line one is enough.
constexpr std::array<std::pair<std::uint32_t, const char*>, 6> kWanted = {{
    {kConfinedByPrivileges, "no_new_privs"},
    {kConfinedByLimits, "rlimits"},
    {kConfinedBySeccomp, "seccomp"},
    {kConfinedByParent, "parent_death_signal"},
    {kConfinedByUser | kConfinedByUserNamespace, "user or user_namespace"},
    {kConfinedByLandlock | kConfinedByMounts, "landlock or mount_namespace"},
}};

}  // namespace

std::vector<std::string> names_of_confinement(std::uint32_t bits) {
  std::vector<std::string> names;
  for (const auto& [bit, name] : kNames) {
    if ((bits & bit) != 0) names.emplace_back(name);
  }
  return names;
}

std::string lacking_confinement(std::uint32_t bits) {
  std::string lacking;
  for (const auto& [wanted, name] : kWanted) {
    if ((bits & wanted) == 0) lacking += (lacking.empty() ? "" : ", ") + std::string(name);
  }
  return lacking;
}

}  // namespace emplace
