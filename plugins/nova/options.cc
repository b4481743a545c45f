#include "options.h"

#include <algorithm>

#include "python_text.h"

namespace emplace::nova {
namespace {

struct Found {
  std::string path;  // "filter_scheduler.max_io_ops_per_host"
  const Value& value;

  [[noreturn]] void refuse(std::string_view wanted) const {
    throw plugin::Error("options." + path + ": wanted " + std::string(wanted) + ", found " + value.repr());
  }
};

double number(const Found& found) {
  const auto value = found.value.number();
  if (!value || found.value.flag()) found.refuse("a number");
  return *value;
}

double whole(const Found& found) {
  const auto value = found.value.whole();
  if (!value) found.refuse("a whole number");
  return static_cast<double>(*value);
}

bool flag(const Found& found) {
  const auto value = found.value.flag();
  if (!value) found.refuse("true or false");
  return *value;
}

std::string text(const Found& found) {
  if (found.value.is_none()) return {};
  if (!found.value.text()) found.refuse("a text");
  return *found.value.text();
}

std::vector<std::string> texts(const Found& found) {
  if (!found.value.list()) found.refuse("a list of texts");
  std::vector<std::string> all;
  for (const Value& item : *found.value.list()) all.push_back(text({found.path, item}));
  return all;
}

Ratios ratios(const Found& found) {
  Ratios all;
  for (const std::string& item : texts(found)) {
    const std::size_t sign = item.find('=');
    const auto ratio = sign == std::string::npos ? std::nullopt : python_float(std::string_view(item).substr(sign + 1));
    if (ratio && sign > 0) all.emplace_back(item.substr(0, sign), *ratio);
  }
  return all;
}

struct Option {
  std::string_view section, name;
  void (*set)(Options&, const Found&);
};

// clang-format off
constexpr std::string_view kDefault = "DEFAULT", kFilters = "filter_scheduler", kMetrics = "metrics", kCompute = "compute";
constexpr Option kOptions[] = {
    {kDefault, "service_down_time",
     [](Options& o, const Found& f) { o.service_down_time_us = static_cast<std::int64_t>(whole(f) * 1e6); }},
    {kDefault, "default_availability_zone", [](Options& o, const Found& f) { o.default_availability_zone = text(f); }},
    {kFilters, "image_properties_default_architecture",
     [](Options& o, const Found& f) { o.image_properties_default_architecture = text(f); }},
    {kFilters, "max_io_ops_per_host", [](Options& o, const Found& f) { o.max_io_ops_per_host = whole(f); }},
    {kFilters, "max_instances_per_host", [](Options& o, const Found& f) { o.max_instances_per_host = whole(f); }},
    {kFilters, "isolated_hosts", [](Options& o, const Found& f) { o.isolated_hosts = texts(f); }},
    {kFilters, "isolated_images", [](Options& o, const Found& f) { o.isolated_images = texts(f); }},
    {kFilters, "restrict_isolated_hosts_to_isolated_images",
     [](Options& o, const Found& f) { o.restrict_isolated_hosts_to_isolated_images = flag(f); }},
    {kFilters, "aggregate_image_properties_isolation_namespace",
     [](Options& o, const Found& f) { o.aggregate_image_properties_isolation_namespace = text(f); }},
    {kFilters, "aggregate_image_properties_isolation_separator",
     [](Options& o, const Found& f) { o.aggregate_image_properties_isolation_separator = text(f); }},
    {kFilters, "image_props_weight_setting",
     [](Options& o, const Found& f) { o.image_props_weight_setting = ratios(f); }},
    {kCompute, "packing_host_numa_cells_allocation_strategy",
     [](Options& o, const Found& f) { o.packing_host_numa_cells_allocation_strategy = flag(f); }},
    {kMetrics, "weight_setting", [](Options& o, const Found& f) { o.metrics_weight_setting = ratios(f); }},
    {kMetrics, "required", [](Options& o, const Found& f) { o.metrics_required = flag(f); }},
    {kMetrics, "weight_of_unavailable",
     [](Options& o, const Found& f) { o.metrics_weight_of_unavailable = number(f); }},
    {kMetrics, "weight_multiplier",
     [](Options& o, const Found& f) { o.multipliers["metrics_weight_multiplier"] = number(f); }},
};
// clang-format on

constexpr std::string_view kMultipliers[] = {"ram_weight_multiplier",           "cpu_weight_multiplier",
                                             "disk_weight_multiplier",          "io_ops_weight_multiplier",
                                             "pci_weight_multiplier",           "soft_affinity_weight_multiplier",
                                             "build_failure_weight_multiplier", "soft_anti_affinity_weight_multiplier",
                                             "num_instances_weight_multiplier", "cross_cell_move_weight_multiplier",
                                             "image_props_weight_multiplier",   "hypervisor_version_weight_multiplier"};

// What nova-scheduler has in the same sections, for others than these rules.
constexpr std::string_view kOthers[] = {"host_subset_size", "available_filters",      "enabled_filters",
                                        "weight_classes",   "track_instance_changes", "shuffle_best_same_weighed_hosts",
                                        "pci_in_placement", "driver_filter"};

bool has(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

void set(Options& options, std::string_view section, const std::string& name, const Value& value) {
  const Found found{std::string(section) + "." + name, value};
  const auto at =
      std::ranges::find_if(kOptions, [&](const Option& o) { return o.section == section && o.name == name; });
  if (at != std::end(kOptions)) {
    at->set(options, found);
  } else if (section == kFilters && has(kMultipliers, name)) {
    options.multipliers[name] = number(found);
  } else if (section != kFilters || !has(kOthers, name)) {
    throw plugin::Error("options." + found.path + ": wanted an option that Nova's filters or weighers have");
  }
}

Options with_release(Options options, const Value* release) {
  if (!release || release->is_none()) return options;
  const std::string* name = release->text();
  if (!name || (*name != "zed" && *name != "master")) {
    throw plugin::Error("release: wanted zed or master, found " + release->repr());
  }
  options.release = *name == "zed" ? Release::kZed : Release::kMaster;
  return options;
}

// The configuration's sections stand beside its release.
Value sections_of(const Value& configuration) {
  Value::Dict sections;
  for (const auto& [key, value] : *configuration.dict()) {
    if (value.dict()) sections.emplace_back(key, value);
  }
  return Value(std::move(sections));
}

std::shared_ptr<const Options> read_configuration(std::string_view json) {
  const auto configuration = parse_json(json);
  if (!configuration || !configuration->dict()) throw plugin::Error("configuration: wanted an object");
  return std::make_shared<const Options>(
      with(with_release({}, configuration->find("release")), sections_of(*configuration)));
}

// Cheap, since every decision asks; what only looks like it costs a parse more.
bool may_override(std::string_view document) {
  return document.find("\"options\"") != std::string_view::npos ||
         document.find("\"release\"") != std::string_view::npos;
}

}  // namespace

std::optional<double> Options::multiplier(std::string_view key) const {
  const auto at = multipliers.find(key);
  return at == multipliers.end() ? std::nullopt : std::optional(at->second);
}

Options with(Options options, const Value& sections) {
  if (sections.is_none()) return options;
  if (!sections.dict()) throw plugin::Error("options: wanted an object of sections, found " + sections.repr());
  for (const auto& [section, values] : *sections.dict()) {
    if (!values.dict()) throw plugin::Error("options." + section + ": wanted an object, found " + values.repr());
    for (const auto& [name, value] : *values.dict()) set(options, section, name, value);
  }
  return options;
}

Settings::Settings(std::string_view configuration) : configured_(read_configuration(configuration)) {}

std::shared_ptr<const Options> Settings::of(const plugin::Call& call) const {
  const std::string_view text = call.document();
  if (!may_override(text)) return configured_;
  const std::lock_guard lock(mutex_);
  if (!last_ || text_ != text) {
    const auto document = parse_json(text);
    const Value* given = document ? document->find("options") : nullptr;
    const Options base = with_release(*configured_, document ? document->find("release") : nullptr);
    last_ = std::make_shared<const Options>(with(base, given ? *given : Value()));
    text_ = text;
  }
  return last_;
}

}  // namespace emplace::nova
