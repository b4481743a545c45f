// match: whether a host's value satisfies the requirement of a flavor's extra spec, as
// nova/scheduler/filters/extra_specs_ops of Zed does it, with what users depend on:
//   - "=" means ">=";
//   - only the first operand after an operator counts ("== 1 2" is "== 1");
//   - a requirement without an operator must equal the value, blanks included;
//   - numbers are Python's float(): "1e3", " 7 ", "inf", "1_000"; anything else is an error for the whole request.
#pragma once

#include <string_view>

namespace emplace::nova {

// Throws plugin::Error where Nova raises.
bool match(std::string_view value, std::string_view requirement);

}  // namespace emplace::nova
