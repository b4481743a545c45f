// What the log says of a start: what of nova.conf and clouds.yaml is not honoured and how, and that it is over.
#pragma once

#include <string>

#include "service/configuration/config.h"
#include "service/core/picture/picture.h"
#include "service/rest/auth.h"

namespace emplace {

void log_notes(const Config& config);

// With what an operator should know of the surroundings; standard output gets the line that others wait for.
void log_ready(const Config& config, const http::Tokens& tokens, const Picture& picture, const std::string& url);

}  // namespace emplace
