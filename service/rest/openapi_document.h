// The contract, api/rest/openapi.yaml, as it was when the program was built: the text that GET /openapi.yaml answers.
// The source is written by CMake.
#pragma once

#include <string_view>

namespace emplace::http {

std::string_view openapi_document();

}  // namespace emplace::http
