// Refusals: what a service of OpenStack says where it gives no answer, in its own words, and which rule of its policy
// would have allowed the call. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace emplace::openstack {

// The sentence in the body of an answer with an error: of {"error": {"message": ...}}, {"computeFault": {"message":
// ...}}, {"errors": [{"detail": ...}]} and the like; of a page of HTML what a reader sees; else the start of the body.
// One line of text that shows as a whole (shown_text.h), cut at a character, empty only where there is none. Each of
// `secrets` is left out of it: some services repeat the token that they refuse.
std::string sentence_of(std::string_view body, const std::vector<std::string>& secrets = {});

// The policy rules of Nova, Placement and Keystone that let a caller do this; empty for a call that we know none of.
// `path`: below the endpoint.
std::string_view rules_of(std::string_view service, std::string_view method, std::string_view path);

}  // namespace emplace::openstack
