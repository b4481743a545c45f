// A vm's request as JSON and back: what is kept of a vm that we start, so that it can be started again.
#pragma once

#include <string>
#include <string_view>

#include "service/core/base/result.h"
#include "service/core/request/request.h"

namespace emplace {

std::string definition_json(const VmRequest& vm);
Result<VmRequest> vm_from_definition(std::string_view json);

}  // namespace emplace
