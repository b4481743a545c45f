#include "bench/nova_rules.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "service/plugins/plugins.h"

namespace emplace {
namespace {

constexpr std::int64_t kNeverLateUs = 3'600'000'000;  // what is timed here must not be set aside

template <typename T>
T found_or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

// Without the child that tries a plugin out first: valgrind can't follow that.
Catalogue load_catalogue() {
  PluginSettings settings;
  settings.directory = EMPLACE_BUILT_PLUGINS;
  const CheckedPlugin checked = found_or_throw(check_plugin(settings, {.path = "libemplace_nova.so"}));
  const auto library = found_or_throw(LibraryFile::read(checked.manifest.library));
  const auto plugin = found_or_throw(
      LoadedPlugin::load({{checked.manifest, checked.configuration, library}, kNeverLateUs, monotonic_tick()}));
  Catalogue catalogue;
  for (const ManifestRule& rule : plugin->manifest().filters) {
    catalogue.filters.push_back(make_filter(plugin, rule, std::make_shared<CallCounts>()));
  }
  for (const ManifestRule& rule : plugin->manifest().weighers) {
    catalogue.weighers.push_back(make_weigher(plugin, rule, std::make_shared<CallCounts>()));
  }
  return catalogue;
}

Rules load_rules(const std::vector<std::string>& filters) {
  Profile profile;
  profile.name = "nova";
  profile.method = RankMethod::kNova;
  profile.filters = filters;
  for (const char* weigher :
       {"BuildFailureWeigher", "CPUWeigher", "CrossCellWeigher", "DiskWeigher", "IoOpsWeigher", "MetricsWeigher",
        "PCIWeigher", "RAMWeigher", "ServerGroupSoftAffinityWeigher", "ServerGroupSoftAntiAffinityWeigher"}) {
    profile.weighers.push_back({weigher, {}});
  }
  return found_or_throw(resolve(profile, load_catalogue()));
}

}  // namespace

const Filter& nova_filter(std::string_view id) {
  static const Catalogue catalogue = load_catalogue();
  for (const auto& filter : catalogue.filters) {
    if (filter->traits().id == id) return *filter;
  }
  throw std::runtime_error("no filter " + std::string(id));
}

const Rules& nova_rules() {
  static const Rules rules = load_rules({"ComputeFilter", "ComputeCapabilitiesFilter", "ImagePropertiesFilter",
                                         "ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter"});
  return rules;
}

const Rules& nova_rules_of_19_filters() {
  static const Rules rules = load_rules(
      {"ComputeFilter", "AvailabilityZoneFilter", "AggregateMultiTenancyIsolation", "AggregateTypeAffinityFilter",
       "AggregateInstanceExtraSpecsFilter", "AggregateImagePropertiesIsolation", "IsolatedHostsFilter",
       "ComputeCapabilitiesFilter", "ImagePropertiesFilter", "IoOpsFilter", "AggregateIoOpsFilter",
       "NumInstancesFilter", "AggregateNumInstancesFilter", "DifferentHostFilter", "SameHostFilter",
       "ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter", "PciPassthroughFilter", "NUMATopologyFilter"});
  return rules;
}

}  // namespace emplace
