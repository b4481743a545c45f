// Import: what of a nova.conf becomes Emplace's: the configuration of our plugin nova, the filters and weighers of a
// profile that decides as this Nova does, and what is lost on the way, each with what it means.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/novaconf/options.h"

namespace emplace::novaconf {

struct ImportedWeigher {
  std::string id;
  double multiplier = 0;
};

struct Import {
  Release release = Release::kZed;
  std::string configuration;  // of the plugin nova: JSON, its release and the options that differ from Nova's defaults
  std::vector<std::string> filters;
  std::vector<ImportedWeigher> weighers;
  bool asks = false;    // EmplaceFilter is among the filters
  bool weighs = false;  // EmplaceWeigher is among the weighers
  std::vector<Finding> findings;
};

Import import_options(const Options& options);

// A piece of emplaced.toml: [nova], the plugin's entry, and the profile "nova".
std::string to_toml(const Import& import);

// `configuration`, with what `given` says instead, option by option; both are configurations of the plugin nova, JSON.
// What `given` has and is no object is taken as it is.
Result<std::string> overlaid(std::string_view configuration, std::string_view given);

// Where a running plugin nova has other options than this nova.conf: its configuration, JSON, and the weighers of the
// profile that it is asked with, whose multipliers count where none is configured.
Result<std::vector<Finding>> compare(const Import& import, std::string_view running,
                                     std::span<const ImportedWeigher> weighers);

// The option that a weigher's multiplier comes from, and whether it counts negatively.
struct MultiplierOption {
  std::string_view weigher, section, name;
  bool negated = false;
  bool in_zed = true;
};
std::span<const MultiplierOption> multiplier_options();

}  // namespace emplace::novaconf
