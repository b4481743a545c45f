// Nova's filters and its ten weighers, from the real plugin.
#pragma once

#include "service/core/decide/rules.h"

namespace emplace {

// Loaded once. Throws when the plugin is not built.
const Rules& nova_rules();  // its default filters
const Rules& nova_rules_of_19_filters();
// Another one of the plugin's filters. Throws when there is none of that name.
const Filter& nova_filter(std::string_view id);

}  // namespace emplace
