#include "service/novaconf/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "service/core/json/json.h"

namespace emplace::novaconf {
namespace {

using Level = Finding::Level;

// In the order of nova/scheduler/filters and weights. AvailabilityZoneFilter is Zed's alone.
constexpr std::string_view kNovaFilters[] = {"AggregateImagePropertiesIsolation",
                                             "AggregateInstanceExtraSpecsFilter",
                                             "AggregateIoOpsFilter",
                                             "AggregateMultiTenancyIsolation",
                                             "AggregateNumInstancesFilter",
                                             "AggregateTypeAffinityFilter",
                                             "AllHostsFilter",
                                             "AvailabilityZoneFilter",
                                             "ComputeCapabilitiesFilter",
                                             "ComputeFilter",
                                             "DifferentHostFilter",
                                             "ImagePropertiesFilter",
                                             "IoOpsFilter",
                                             "IsolatedHostsFilter",
                                             "JsonFilter",
                                             "MetricsFilter",
                                             "NUMATopologyFilter",
                                             "NumInstancesFilter",
                                             "PciPassthroughFilter",
                                             "SameHostFilter",
                                             "ServerGroupAffinityFilter",
                                             "ServerGroupAntiAffinityFilter",
                                             "SimpleCIDRAffinityFilter"};

constexpr MultiplierOption kWeighers[] = {
    {"ServerGroupSoftAffinityWeigher", "filter_scheduler", "soft_affinity_weight_multiplier"},
    {"ServerGroupSoftAntiAffinityWeigher", "filter_scheduler", "soft_anti_affinity_weight_multiplier"},
    {"BuildFailureWeigher", "filter_scheduler", "build_failure_weight_multiplier", true},
    {"CPUWeigher", "filter_scheduler", "cpu_weight_multiplier"},
    {"CrossCellWeigher", "filter_scheduler", "cross_cell_move_weight_multiplier"},
    {"DiskWeigher", "filter_scheduler", "disk_weight_multiplier"},
    {"HypervisorVersionWeigher", "filter_scheduler", "hypervisor_version_weight_multiplier", false, false},
    {"ImagePropertiesWeigher", "filter_scheduler", "image_props_weight_multiplier", false, false},
    {"IoOpsWeigher", "filter_scheduler", "io_ops_weight_multiplier"},
    {"MetricsWeigher", "metrics", "weight_multiplier"},
    {"NumInstancesWeigher", "filter_scheduler", "num_instances_weight_multiplier", false, false},
    {"PCIWeigher", "filter_scheduler", "pci_weight_multiplier"},
    {"RAMWeigher", "filter_scheduler", "ram_weight_multiplier"}};

constexpr std::string_view kAllFilters = "nova.scheduler.filters.all_filters";
constexpr std::string_view kAllWeighers = "nova.scheduler.weights.all_weighers";
// What a number in emplaced.toml may be.
constexpr double kGreatest = 1e12;

bool is_filter(std::string_view name, Release release) {
  return std::ranges::find(kNovaFilters, name) != std::end(kNovaFilters) &&
         (release == Release::kZed || name != "AvailabilityZoneFilter");
}

const MultiplierOption* find_weigher(std::string_view name, Release release) {
  const auto at = std::ranges::find(kWeighers, name, &MultiplierOption::weigher);
  return at == std::end(kWeighers) || (release == Release::kZed && !at->in_zed) ? nullptr : &*at;
}

std::string_view class_of(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}
bool is_novas(std::string_view path, std::string_view package) {
  return path.size() > package.size() + 1 && path.starts_with(package) && path[package.size()] == '.';
}
constexpr std::string_view kOurFilter = "EmplaceFilter", kOurWeigher = "EmplaceWeigher";

// Of the package emplace_nova, which has one filter and one weigher.
bool is_ours(std::string_view path) { return path.starts_with("emplace_nova."); }
Finding not_ours(const std::string& about, std::string_view wanted) {
  return {Level::kError, about,
          fmt::format("emplace_nova has only {}: nova-scheduler does not start; left out", wanted)};
}

template <typename Item>
bool has(const std::vector<Item>& all, std::string_view item) {
  return std::ranges::find(all, item) != all.end();
}

// ---- filters

// The module that Nova would take a filter's class from; empty: none that it may use. Of two classes of one name it
// takes the later one.
std::string source_of(std::string_view filter, const Options& options) {
  std::string source;
  for (const std::string& path : options.texts("filter_scheduler", "available_filters")) {
    if (path == kAllFilters ? is_filter(filter, options.release) : class_of(path) == filter) source = path;
  }
  return source;
}

// A name in small letters is a function: it gives Nova a list of classes, which only a running Nova knows.
bool is_function(std::string_view path) {
  const std::string_view name = class_of(path);
  return !name.empty() && (name[0] == '_' || (name[0] >= 'a' && name[0] <= 'z'));
}

// Of a filter that none of available_filters is known to have: a fork of Nova has filters of its own among its own, and
// a function may give any.
Finding unknown_filter(const std::string& about, std::string_view filter, const Options& options) {
  if (filter == kOurFilter) {
    return {
        Level::kError, about,
        "wanted emplace_nova.EmplaceFilter in a line of its own of available_filters: nova-scheduler does not start;"
        " left out"};
  }
  const bool fork = !is_filter(filter, options.release);
  const bool may_be =
      std::ranges::any_of(options.texts("filter_scheduler", "available_filters"),
                          [&](const std::string& path) { return is_function(path) && (fork || path != kAllFilters); });
  if (!may_be) return {Level::kError, about, "not in available_filters: nova-scheduler does not start; left out"};
  return {Level::kWarning, about,
          fmt::format("none of Nova's own filters (release {}): left out; a Nova without it does not start",
                      to_string(options.release))};
}

void add_filter(const std::string& name, const Options& options, Import& import) {
  const std::string about = fmt::format("[filter_scheduler] enabled_filters: {}", shortened(name));
  const std::string source = source_of(name, options);
  if (source.empty()) {
    import.findings.push_back(unknown_filter(about, name, options));
  } else if (is_ours(source)) {
    name == kOurFilter ? void(import.asks = true) : import.findings.push_back(not_ours(about, kOurFilter));
  } else if (!is_novas(source, "nova.scheduler.filters") || !is_filter(name, options.release)) {
    import.findings.push_back(
        {Level::kWarning, about, fmt::format("{} is none of Nova's own filters: left out", shortened(source))});
  } else if (!has(import.filters, name)) {
    import.filters.push_back(name);
  }
}

// ---- weighers

void add_weigher(const MultiplierOption& weigher, const Options& options, Import& import) {
  const bool again = std::ranges::any_of(import.weighers, [&](const auto& one) { return one.id == weigher.weigher; });
  if (again) {
    import.findings.push_back({Level::kWarning, fmt::format("[filter_scheduler] weight_classes: {}", weigher.weigher),
                               "named again: Nova counts it as often as it is named, Emplace once"});
    return;
  }
  const double multiplier = options.number(weigher.section, weigher.name);
  import.weighers.push_back({std::string(weigher.weigher), weigher.negated ? -multiplier : multiplier});
}

void add_weigher_class(const std::string& path, const Options& options, Import& import) {
  const std::string about = fmt::format("[filter_scheduler] weight_classes: {}", shortened(path));
  if (path == kAllWeighers) {
    for (const MultiplierOption& weigher : kWeighers) {
      if (find_weigher(weigher.weigher, options.release)) add_weigher(weigher, options, import);
    }
  } else if (is_ours(path)) {
    class_of(path) == kOurWeigher ? void(import.weighs = true)
                                  : import.findings.push_back(not_ours(about, kOurWeigher));
  } else if (!is_novas(path, "nova.scheduler.weights")) {
    import.findings.push_back({Level::kWarning, about, "none of Nova's own weighers: left out"});
  } else if (const auto* const weigher = find_weigher(class_of(path), options.release)) {
    add_weigher(*weigher, options, import);
  } else {
    import.findings.push_back(
        {Level::kWarning, about,
         fmt::format("none of Nova's own weighers (release {}): left out; a Nova without it does not start",
                     to_string(options.release))});
  }
}

// ---- the plugin's configuration

bool is_finite(const Value& value) {
  const auto* const number = std::get_if<double>(&value);
  return !number || std::fabs(*number) <= kGreatest;
}

// Beyond what Nova's own types ask for.
std::string refused_because(const Option& option, const Value& value) {
  if (!is_finite(value)) return fmt::format("wanted a number from -1e12 to 1e12, found {}", to_text(value));
  const auto* const whole = std::get_if<std::int64_t>(&value);
  if (option.name == "service_down_time" && whole && (*whole < 1 || *whole > 86400)) {
    return fmt::format("wanted 1 to 86400 seconds, found {}", *whole);
  }
  return {};
}

// Those that the plugin reads and that are not Nova's default.
std::vector<const Option*> changed_options(const Options& options) {
  std::vector<const Option*> changed;
  for (const Option& option : known_options()) {
    if (option.reader != Reader::kPlugin || !option.is_in(options.release)) continue;
    const Value& value = options.value(option.section, option.name);
    if (value != standard_value(option) && refused_because(option, value).empty()) changed.push_back(&option);
  }
  return changed;
}

void write_value(JsonWriter& writer, const Value& value) {
  if (const auto* const whole = std::get_if<std::int64_t>(&value)) writer.whole(*whole);
  if (const auto* const number = std::get_if<double>(&value)) writer.number(*number);
  if (const auto* const flag = std::get_if<bool>(&value)) writer.flag(*flag);
  if (const auto* const text = std::get_if<std::string>(&value)) writer.text(*text);
  const auto* const texts = std::get_if<std::vector<std::string>>(&value);
  if (!texts) return;
  writer.open_list();
  for (const std::string& text : *texts) writer.text(text);
  writer.close_list();
}

std::string configuration_of(const Options& options) {
  JsonWriter writer;
  writer.open().text("release", to_string(options.release));
  std::string_view section;
  for (const Option* option : changed_options(options)) {
    if (option->section != section) {
      if (!section.empty()) writer.close();
      section = option->section;
      writer.key(section).open();
    }
    writer.key(option->name);
    write_value(writer, options.value(option->section, option->name));
  }
  if (!section.empty()) writer.close();
  return writer.close().take();
}

void add_refused(const Options& options, Import& import) {
  for (const Option& option : known_options()) {
    if (option.reader != Reader::kPlugin || !option.is_in(options.release)) continue;
    const std::string why = refused_because(option, options.value(option.section, option.name));
    if (why.empty()) continue;
    import.findings.push_back({Level::kWarning, option.label(), why + "; Nova's default is taken"});
  }
}

// Zones are placement's or a filter's; where Nova has neither, a request for a zone is not heard.
void add_zones(const Options& options, Import& import) {
  const bool placements =
      options.release == Release::kMaster || options.flag("scheduler", "query_placement_for_availability_zone");
  if (!placements && !has(import.filters, "AvailabilityZoneFilter")) {
    import.findings.push_back({Level::kWarning, "[scheduler] query_placement_for_availability_zone",
                               "false, and AvailabilityZoneFilter is not enabled: nobody looks at zones"});
  }
}

// Rules of Nova, and what they read of a host that Nova's APIs do not tell.
struct Blind {
  std::string_view rule, attribute;
};
constexpr Blind kBlind[] = {{"ComputeCapabilitiesFilter", "stats"},
                            {"ImagePropertiesFilter", "supported_instances"},
                            {"MetricsFilter", "metrics"},
                            {"NUMATopologyFilter", "numa_topology"},
                            {"PciPassthroughFilter", "pci_stats"},
                            {"BuildFailureWeigher", "failed_builds"},
                            {"CrossCellWeigher", "cell_uuid"},
                            {"MetricsWeigher", "metrics"},
                            {"PCIWeigher", "pci_stats"}};

void add_blind(Import& import) {
  std::string blind;
  bool is_filter = false;  // of weighers nothing is refused, or let through
  for (const auto& [rule, attribute] : kBlind) {
    is_filter |= has(import.filters, rule);
    const bool is_weigher = std::ranges::find(import.weighers, rule, &ImportedWeigher::id) != import.weighers.end();
    if (has(import.filters, rule) || is_weigher)
      blind += fmt::format("{}{} ({})", blind.empty() ? "" : ", ", rule, attribute);
  }
  if (blind.empty()) return;
  import.findings.push_back(
      {is_filter ? Level::kWarning : Level::kNote, "[filter_scheduler]",
       fmt::format(
           "Nova's APIs do not tell what these need, so they judge no host that [openstack] reads, and answers say so"
           " in `degraded`, unless `nova_database` of [openstack] or PUT /v1/hosts/NAME/nova-state tells: {}",
           blind)});
}

}  // namespace

std::span<const MultiplierOption> multiplier_options() { return kWeighers; }

Import import_options(const Options& options) {
  Import import;
  import.release = options.release;
  import.findings = options.findings;
  import.configuration = configuration_of(options);
  for (const std::string& name : options.texts("filter_scheduler", "enabled_filters"))
    add_filter(name, options, import);
  for (const std::string& path : options.texts("filter_scheduler", "weight_classes")) {
    add_weigher_class(path, options, import);
  }
  for (ImportedWeigher& weigher : import.weighers) {
    if (std::fabs(weigher.multiplier) <= kGreatest) continue;
    const auto* const option = find_weigher(weigher.id, options.release);
    for (const Option& known : known_options()) {
      if (known.section != option->section || known.name != option->name) continue;
      const double standard = std::get<double>(standard_value(known));
      weigher.multiplier = option->negated ? -standard : standard;
    }
  }
  add_refused(options, import);
  add_zones(options, import);
  add_blind(import);
  return import;
}

}  // namespace emplace::novaconf
