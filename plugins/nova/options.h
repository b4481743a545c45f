// Options: Nova's configuration options that its rules read, in Nova's sections, under Nova's names, with Nova's
// defaults. The plugin's configuration has them as {"release": "zed", "filter_scheduler": {...}, "metrics": {...},
// "DEFAULT": {...}}; a call of /v1/filter or /v1/weigh may override any of them for itself, with "options" and
// "release". Settings keeps those of the last such call: a call asks many rules about the same text.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "emplace/view.hpp"
#include "value.h"

namespace emplace::nova {

// Where Nova's rules differ: those of 26.2.2, or those of 2026's master.
enum class Release : std::uint8_t { kZed, kMaster };

// "name=1.5" in the order of the option; what can't be read is left out, as Nova does.
using Ratios = std::vector<std::pair<std::string, double>>;

struct Options {
  Release release = Release::kZed;
  std::int64_t service_down_time_us = 60'000'000;
  std::string default_availability_zone = "nova";

  std::string image_properties_default_architecture;  // empty: none
  double max_io_ops_per_host = 8;
  double max_instances_per_host = 50;
  std::vector<std::string> isolated_hosts;
  std::vector<std::string> isolated_images;
  bool restrict_isolated_hosts_to_isolated_images = true;
  std::string aggregate_image_properties_isolation_namespace;
  std::string aggregate_image_properties_isolation_separator = ".";
  Ratios image_props_weight_setting;

  bool packing_host_numa_cells_allocation_strategy = false;

  Ratios metrics_weight_setting;
  bool metrics_required = true;
  double metrics_weight_of_unavailable = -10000.0;

  // By the key that aggregates use ("cpu_weight_multiplier", "metrics_weight_multiplier"); only what was configured.
  std::map<std::string, double, std::less<>> multipliers;

  std::optional<double> multiplier(std::string_view key) const;
};

// `sections`: {section: {option: value}}. Throws plugin::Error naming option, wanted and found; also for an option that
// Nova does not have.
Options with(Options options, const Value& sections);

class Settings {
 public:
  // `configuration`: the plugin's, JSON.
  explicit Settings(std::string_view configuration);

  const Options& configured() const { return *configured_; }
  std::shared_ptr<const Options> of(const plugin::Call& call) const;

 private:
  const std::shared_ptr<const Options> configured_;
  mutable std::mutex mutex_;
  mutable std::string text_;                     // guarded by mutex_
  mutable std::shared_ptr<const Options> last_;  // of text_
};

}  // namespace emplace::nova
