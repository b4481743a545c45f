// The value of a response's header, or "" when it has none of that name.
#pragma once

#include <string>

#include "service/http/message.h"

namespace emplace::http {

inline std::string header(const Response& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

}  // namespace emplace::http
