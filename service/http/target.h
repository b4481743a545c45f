// A request target, taken apart: "/v1/hosts/a%20b?limit=5" is the segments {"v1","hosts","a b"} and the query
// {{"limit","5"}}. Accepted are the origin form, the absolute form (its authority is dropped, as RFC 9112 wants of an
// origin server) and "*". Segments are split before they are decoded, so that an escaped '/' stays inside its segment.
//
// Threads: pure functions. Errors: false for bad escapes, control characters (also escaped ones), a '#', text that is
// not UTF-8. Complexity: linear.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/http/message.h"

namespace emplace::http {

// Fills path, segments and query of `request` from its target.
bool split_target(Request& request);

// Decodes %XX (and '+' as a blank where forms use it). Nothing if an escape is bad or a control character comes out.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank);

}  // namespace emplace::http
