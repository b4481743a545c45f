// Who may do what: the tokens of this replica, and the least role of each endpoint.
#pragma once

#include "service/configuration/config.h"
#include "service/core/base/result.h"
#include "service/rest/auth.h"

namespace emplace {

// Of the tokens file; with an embedded database also the admin token in the data directory, which is made where there
// is none.
Result<http::Tokens> tokens_of(const Config& config);

// The contract's own, with what policy_file says otherwise.
Result<http::Policy> policy_of(const Config& config);

}  // namespace emplace
