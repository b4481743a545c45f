// What [nova] of emplaced.toml says to the plugin nova: the release, and the options of the nova.conf that it names.
#pragma once

#include <string_view>

#include "service/configuration/config.h"
#include "service/core/base/result.h"

namespace emplace {

// Of a library's path.
bool is_nova_plugin(std::string_view path);

// Reads the nova.conf and completes the plugin's configuration: that of its [[plugin]] entry, or nova_configuration,
// where there is none. What the entry says wins. kInvalid for a file that can't be read or with which Nova itself would
// fail, and for a [nova] without the plugin.
Result<void> take_nova(Config& config);

}  // namespace emplace
