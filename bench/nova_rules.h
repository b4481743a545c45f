// Nova's default filters and its RAM, CPU and disk weighers, from the real plugin.
#pragma once

#include "service/core/rules.h"

namespace emplace {

// Loaded once. Throws when the plugin is not built.
const Rules& nova_rules();
// Another one of the plugin's filters. Throws when there is none of that name.
const Filter& nova_filter(std::string_view id);

}  // namespace emplace
